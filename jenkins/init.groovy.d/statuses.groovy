// Sets the commit status `ci` for every build of a repository's job, from outside the build: so a commit without a
// Jenkinsfile, or with one that does not compile, is told too. Statuses leave in order; while Gitea is away they wait.
import groovy.json.JsonOutput
import hudson.model.ParametersAction
import hudson.model.Queue
import hudson.model.Result
import hudson.model.Run
import hudson.model.TaskListener
import hudson.model.listeners.RunListener
import hudson.model.queue.QueueListener
import java.util.concurrent.Executors
import java.util.logging.Level
import java.util.logging.Logger
import jenkins.model.Jenkins
import jenkins.util.Timer
import java.util.concurrent.TimeUnit
import org.jenkinsci.plugins.workflow.actions.ErrorAction
import org.jenkinsci.plugins.workflow.actions.LabelAction
import org.jenkinsci.plugins.workflow.actions.ThreadNameAction
import org.jenkinsci.plugins.workflow.flow.GraphListener
import org.jenkinsci.plugins.workflow.graph.BlockEndNode
import org.jenkinsci.plugins.workflow.graph.FlowNode
import org.jenkinsci.plugins.workflow.graphanalysis.DepthFirstScanner
import org.jenkinsci.plugins.workflow.job.WorkflowRun
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** What a build or a waiting item is of: one of our repositories, at a commit. */
class Subject {
    static final List<String> REPOSITORIES = System.getenv('REPOSITORIES').tokenize(' ')
    final String repository
    final String commit

    Subject(String repository, String commit) {
        this.repository = repository
        this.commit = commit
    }

    /** Null for other jobs, and for builds by hand that name no commit. */
    static Subject of(String job, ParametersAction parameters) {
        def commit = parameters?.getParameter('COMMIT')?.value as String
        job in REPOSITORIES && commit ==~ /[0-9a-f]{40}/ ? new Subject(job, commit) : null
    }

    static Subject of(Run run) { of(run.parent.fullName, run.getAction(ParametersAction)) }
}

/** Gitea's commit statuses: https://docs.gitea.com/api, repoCreateStatus. */
class Statuses {
    static final Logger LOG = Logger.getLogger('mlops-sandbox.statuses')
    static final int LONGEST = 250 // characters of a description; Gitea keeps 255
    static final int PAUSE = 3000 // milliseconds between two tries
    static final int PATIENCE = 20 * 60 * 1000 // milliseconds until a status is given up
    final sender = Executors.newSingleThreadExecutor { work -> new Thread(work, 'commit statuses') }

    void set(Subject subject, String state, String description, String page) {
        if (subject) sender.submit { send(subject, state, description, page) }
    }

    private void send(Subject subject, String state, String description, String page) {
        def text = description.size() > LONGEST ? description[0..<LONGEST] + '…' : description
        def body = JsonOutput.toJson([context: 'ci', state: state, description: text, target_url: page])
        def given = "${subject.repository} ${subject.commit[0..11]} ${state}"
        def end = System.currentTimeMillis() + PATIENCE
        while (System.currentTimeMillis() < end) {
            try {
                def answered = post(subject, body)
                if (answered < 500) {
                    if (answered >= 400) LOG.warning("Gitea refused the status ${given}: ${answered}")
                    return
                }
            } catch (IOException away) {
                LOG.log(Level.INFO, "Gitea is away, the status ${given} waits: ${away}")
            }
            sleep(PAUSE)
        }
        LOG.warning("The status ${given} was not set: Gitea did not answer for ${PATIENCE / 60000} minutes")
    }

    private int post(Subject subject, String body) {
        def login = "${System.getenv('STATUS_USER')}:${System.getenv('STATUS_TOKEN')}".bytes.encodeBase64()
        def path = "/repos/${System.getenv('ORGANISATION')}/${subject.repository}/statuses/${subject.commit}"
        def call = new URL(System.getenv('STATUS_URL') + path).openConnection() as HttpURLConnection
        call.with {
            connectTimeout = 5000
            readTimeout = 10000
            requestMethod = 'POST'
            doOutput = true
            setRequestProperty('Authorization', "Basic ${login}")
            setRequestProperty('Content-Type', 'application/json')
            outputStream.withWriter('UTF-8') { it << body }
            responseCode
        }
    }
}

/** Why a build failed: the stage and the first error in it; without a stage, the log's own words. */
class Verdict {
    static final String ITSELF = 'Declarative: '
    static final String TIMESTAMP = /^\[[^\]]*\] /
    static final int LINES = 200 // from the end of a log

    static String of(Run run) {
        def error = run instanceof WorkflowRun && run.execution ? firstError(run) : null
        error ? "${stageOf(error)}${reasonOf(error)}" : loggedReason(run)
    }

    private static FlowNode firstError(WorkflowRun run) {
        def errors = new DepthFirstScanner().allNodes(run.execution).findAll { it.getAction(ErrorAction) && stageOf(it) }
        errors.min { it.id as int }
    }

    private static String stageOf(FlowNode node) {
        // An error that is of no step alone stands at the end of its block.
        def block = node instanceof BlockEndNode ? node.startNode : node
        def label = ([block] + block.enclosingBlocks).findResult {
            it.getAction(ThreadNameAction) ? null : it.getAction(LabelAction)?.displayName
        }
        if (!label) return ''
        label.startsWith(ITSELF) ? 'checkout: ' : "stage ${label}: "
    }

    private static String reasonOf(FlowNode node) {
        def error = node.getAction(ErrorAction).error
        def causes = error instanceof FlowInterruptedException ? error.causes*.shortDescription : []
        causes ? causes.join(', ') : (error.message ?: error.class.simpleName).readLines().first()
    }

    private static String loggedReason(Run run) {
        def lines = run.getLog(LINES)*.replaceFirst(TIMESTAMP, '')
        if (lines.any { it ==~ /ERROR: .*Jenkinsfile not found/ }) return 'There is no Jenkinsfile; add one at the top of the repository.'
        lines.find { it.startsWith('WorkflowScript:') } ?: lines.reverse().find { it.startsWith('ERROR: ') } ?: "ended ${run.result}"
    }
}

def statuses = new Statuses()
def jenkins = Jenkins.get()
def pageOf = { Run run -> "${jenkins.rootUrl}${run.url}" as String }

jenkins.getExtensionList(QueueListener).add(new QueueListener() {
    void onEnterWaiting(Queue.WaitingItem item) {
        if (!(item.task instanceof hudson.model.Job)) return
        def subject = Subject.of(item.task.fullName, item.getAction(ParametersAction))
        statuses.set(subject, 'pending', 'in the queue', "${jenkins.rootUrl}${item.task.url}" as String)
    }
})

jenkins.getExtensionList(RunListener).add(new RunListener<Run>() {
    void onStarted(Run run, TaskListener listener) { statuses.set(Subject.of(run), 'pending', 'started', pageOf(run)) }

    void onCompleted(Run run, TaskListener listener) {
        def subject = Subject.of(run)
        if (!subject) return
        if (run.result == Result.SUCCESS) {
            statuses.set(subject, 'success', "passed in ${Math.round(run.duration / 1000)} s", pageOf(run))
        } else {
            statuses.set(subject, 'failure', Verdict.of(run), pageOf(run))
        }
    }
})

jenkins.getExtensionList(GraphListener).add(new GraphListener() {
    void onNewHead(FlowNode node) {
        def label = node.getAction(LabelAction)?.displayName
        def run = label ? node.execution.owner.executable : null
        if (!(run instanceof WorkflowRun) || label.startsWith(Verdict.ITSELF) || node.getAction(ThreadNameAction)) return
        statuses.set(Subject.of(run), 'pending', "stage ${label}", pageOf(run))
    }
})

// A build without a time limit of its own must not hold up its repository for ever.
def LIMIT = 60 * 60 * 1000 // milliseconds
Timer.get().scheduleAtFixedRate({
    Subject.REPOSITORIES.collect { jenkins.getItemByFullName(it) }.findAll().each { job ->
        job.builds.findAll { it.building && System.currentTimeMillis() - it.startTimeInMillis > LIMIT }.each {
            it.executor?.interrupt(Result.ABORTED)
        }
    }
}, 60, 60, TimeUnit.SECONDS)
