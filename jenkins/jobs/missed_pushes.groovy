// Makes up for deliveries that got lost: every five minutes, and when Jenkins starts (init.groovy.d/missed_pushes.groovy).
pipelineJob('missed-pushes') {
    description('Sends the signed payload of every branch head that has no commit status ci.')
    logRotator { numToKeep(50) }
    properties {
        disableConcurrentBuilds { abortPrevious(false) }
        pipelineTriggers { triggers { cron { spec('H/5 * * * *') } } }
    }
    definition {
        cps {
            sandbox(true)
            script("""\
                node('sandbox') {
                    timeout(time: 4, unit: 'MINUTES') {
                        withCredentials([string(credentialsId: 'webhook-secret', variable: 'CI_WEBHOOK_SECRET')]) {
                            withEnv(['REPOSITORIES=${System.getenv('REPOSITORIES')}', 'CI_HOOK_URL=${System.getenv('CI_HOOK_URL')}']) {
                                sh 'ci catch-up'
                            }
                        }
                    }
                }
            """.stripIndent())
        }
    }
}
