// One job for each repository: it builds a pushed commit by the Jenkinsfile in it.
def address = System.getenv('GIT_URL')

System.getenv('REPOSITORIES').split(' ').each { repository ->
    pipelineJob(repository) {
        description("Builds every push to ${repository}. To build a commit again: Build with Parameters.")
        parameters {
            stringParam { name('COMMIT'); defaultValue(''); description('The commit to build, 40 hex digits'); trim(true) }
            stringParam('BRANCH_NAME', '', 'The branch that it was pushed to; only main is deployed')
        }
        logRotator {
            numToKeep(System.getenv('CI_KEEP_BUILDS') as int)
            daysToKeep(System.getenv('CI_KEEP_DAYS') as int)
        }
        properties {
            pipelineTriggers {
                triggers {
                    genericTrigger {
                        genericVariables {
                            genericVariable { key('REF'); value('$.ref'); expressionType('JSONPath') }
                            genericVariable { key('COMMIT'); value('$.after'); expressionType('JSONPath') }
                            genericVariable {
                                key('BRANCH_NAME'); value('$.ref'); expressionType('JSONPath')
                                regexpFilter('^refs/heads/')
                            }
                        }
                        token(repository)
                        // Branches only, and no deletions: those come with a commit of zeros.
                        regexpFilterText('$REF $COMMIT')
                        regexpFilterExpression('^refs/heads/\\S+ (?!0{40})[0-9a-f]{40}$')
                        causeString('Push to $BRANCH_NAME')
                        printContributedVariables(false)
                        printPostContent(false)
                        silentResponse(false)
                    }
                }
            }
        }
        definition {
            cpsScm {
                scm {
                    git {
                        remote {
                            url("${address}/${repository}.git")
                            credentials('gitea')
                            // The commit itself, wherever its branch is by now.
                            refspec('+${COMMIT}:refs/remotes/origin/pushed')
                        }
                        branch('${COMMIT}')
                        extensions { cleanBeforeCheckout() }
                    }
                }
                scriptPath('Jenkinsfile')
                lightweight(false) // reads branches only
            }
        }
    }
}
