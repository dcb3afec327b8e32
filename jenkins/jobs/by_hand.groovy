// What a person starts: each job hands its parameters to a DAG of Airflow and ends as its run does.
def byHand = { name, text, parameterNames, command ->
    pipelineJob(name) {
        description(text)
        logRotator { numToKeep(System.getenv('CI_KEEP_BUILDS') as int) }
        parameters { parameterNames.each { parameter, help -> stringParam(parameter, parameter == 'MODEL' ? 'iris' : '', help) } }
        definition {
            cps {
                sandbox(true)
                // The shell reads the parameters as variables: nothing in them is executed.
                script("node('sandbox') { timeout(time: 2, unit: 'HOURS') { sh '${command}' } }")
            }
        }
    }
}

byHand('run', 'Runs the loop, at old commits or with old data where they are named.', [
    CODE_COMMIT: 'Commit of model_training; empty: the newest that is built',
    DATA_COMMIT: 'Commit of data_preprocessing; empty: the newest that is built',
    DATA_VERSION: 'Data version, 12 hex digits; empty: what the data are now',
], 'ci start --wait train_and_serve reason=manual build="$BUILD_URL" code_commit="$CODE_COMMIT" data_commit="$DATA_COMMIT" data_version="$DATA_VERSION"')

def version = [MODEL: 'Name of the registered model', VERSION: 'Its version, a number']
def named = 'test -n "$VERSION" || { echo "Name the VERSION to serve: MLflow lists them."; exit 1; }; '
byHand('promote', 'Makes a registered version the one that is served.', version,
    named + 'ci start --wait promote_model name="$MODEL" version="$VERSION" reason=promote')
byHand('rollback', 'Goes back to a version that was served before.', version,
    named + 'ci start --wait promote_model name="$MODEL" version="$VERSION" reason=rollback')
