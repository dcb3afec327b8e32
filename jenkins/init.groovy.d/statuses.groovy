// Sets the commit status `ci` for every build of a repository's job, from outside the build: so a commit without a
// Jenkinsfile, or with one that does not compile, is told too. Statuses of a repository leave in order; while Gitea is
// away they wait.
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import hudson.model.Cause
import hudson.model.CauseAction
import hudson.model.Job
import hudson.model.ParametersAction
import hudson.model.Queue
import hudson.model.Result
import hudson.model.Run
import hudson.model.TaskListener
import hudson.model.listeners.RunListener
import hudson.model.queue.QueueListener
import hudson.tasks.junit.TestResultAction
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.logging.Level
import java.util.logging.Logger
import jenkins.model.Jenkins
import jenkins.util.Timer
import org.jenkinsci.plugins.workflow.actions.ErrorAction
import org.jenkinsci.plugins.workflow.actions.LabelAction
import org.jenkinsci.plugins.workflow.actions.ThreadNameAction
import org.jenkinsci.plugins.workflow.cps.nodes.StepStartNode
import org.jenkinsci.plugins.workflow.flow.GraphListener
import org.jenkinsci.plugins.workflow.graph.BlockEndNode
import org.jenkinsci.plugins.workflow.graph.FlowNode
import org.jenkinsci.plugins.workflow.graphanalysis.DepthFirstScanner
import org.jenkinsci.plugins.workflow.job.WorkflowRun
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException
import org.jenkinsci.plugins.workflow.support.steps.AgentErrorCondition

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

    static Subject of(Queue.Item item) {
        item.task instanceof Job ? of(item.task.fullName, item.getAction(ParametersAction)) : null
    }

    String toString() { "${repository} ${commit[0..11]}" }
}

/** Gitea's commit statuses: https://docs.gitea.com/api, repoCreateStatus. Times in milliseconds. */
class Statuses {
    static final Logger LOG = Logger.getLogger('mlops-sandbox.statuses')
    static final int LONGEST = 250 // characters of a description; Gitea keeps 255
    static final int PAUSE = 3000 // between two tries
    static final int PATIENCE = 20 * 60 * 1000 // with a Gitea that is away, or does not know our password yet
    static final int DOUBT = 10 * 1000 // with one that answers 500: it does not know the commit, or is just starting
    static final List<Integer> AWAY = [401, 403, 502, 503, 504]
    // A thread for each repository: one that is in trouble holds up no other.
    final senders = Subject.REPOSITORIES.collectEntries { name ->
        [name, Executors.newSingleThreadExecutor { work -> new Thread(work, "commit statuses of ${name}") }]
    }

    void set(Subject subject, String state, String description, String page) {
        if (!subject) return
        def asked = System.currentTimeMillis()
        senders[subject.repository].submit { send(subject, state, description, page, asked) }
    }

    /** Set a final status again where Gitea has none yet: the stop of a server can lose one. */
    void mend(Subject subject, String state, String description, String page) {
        senders[subject.repository].submit {
            try {
                if (newest(subject) in ['pending', null]) send(subject, state, description, page, System.currentTimeMillis())
            } catch (IOException error) {
                LOG.info("The status of ${subject} could not be looked at: ${error}")
            }
        }
    }

    private void send(Subject subject, String state, String description, String page, long asked) {
        def text = description.size() > LONGEST ? description[0..<LONGEST] + '…' : description
        def body = JsonOutput.toJson([context: 'ci', state: state, description: text, target_url: page])
        def said = 'nothing yet'
        while (true) {
            def patience = PATIENCE
            try {
                def answered = post(subject, body).responseCode
                if (answered < 400) return
                said = "it answered ${answered}"
                if (!(answered in AWAY)) patience = answered < 500 ? 0 : DOUBT
            } catch (IOException away) {
                said = away as String
            } catch (Throwable mistake) {
                LOG.log(Level.SEVERE, "The status ${state} of ${subject} cannot be set", mistake)
                return
            }
            if (System.currentTimeMillis() - asked > patience) break
            sleep(PAUSE)
        }
        LOG.warning("Gitea did not take the status ${state} of ${subject}: ${said}")
    }

    private String newest(Subject subject) {
        def answer = open(subject, "commits/${subject.commit}/status").inputStream
        new JsonSlurper().parse(answer, 'UTF-8').statuses?.find { it.context == 'ci' }?.status
    }

    private HttpURLConnection post(Subject subject, String body) {
        open(subject, "statuses/${subject.commit}").with {
            requestMethod = 'POST'
            doOutput = true
            setRequestProperty('Content-Type', 'application/json')
            outputStream.withWriter('UTF-8') { it << body }
            it
        }
    }

    private HttpURLConnection open(Subject subject, String path) {
        def login = "${System.getenv('STATUS_USER')}:${System.getenv('STATUS_TOKEN')}".bytes.encodeBase64()
        def repository = "/repos/${System.getenv('ORGANISATION')}/${subject.repository}/"
        def call = new URL(System.getenv('STATUS_URL') + repository + path).openConnection() as HttpURLConnection
        call.connectTimeout = 5000
        call.readTimeout = 10000
        call.setRequestProperty('Authorization', "Basic ${login}")
        call
    }
}

/** What a build ended with: a state and why; without a stage, in the log's own words. */
class Verdict {
    static final String ITSELF = 'Declarative: '
    static final String TIMESTAMP = /^\[[^\]]*\] /
    static final int LINES = 200 // from the end of a log
    static final int LIMIT = 60 // minutes of a build without a limit of its own
    final String state
    final String reason

    Verdict(Run run) {
        state = run.result == Result.SUCCESS ? 'success' : 'failure'
        reason = state == 'success' ? "passed in ${Math.round(run.duration / 1000)} s" : failure(run)
    }

    private static String failure(Run run) {
        def error = firstError(run)
        error ? "${stageOf(error)}${reasonOf(error)}${failedTests(run)}" : loggedReason(run)
    }

    private static String failedTests(Run run) {
        def tests = run.getAction(TestResultAction)?.failedTests
        tests ? "; ${tests.size()} failed, first ${tests.first().fullDisplayName}" : ''
    }

    /** The first in the last try, where a lost agent led to several; null where no step says what was wrong. */
    static FlowNode firstError(Run run) {
        if (!(run instanceof WorkflowRun) || !run.execution) return null
        def nodes = new DepthFirstScanner().allNodes(run.execution)
        def tries = nodes.findAll { it instanceof StepStartNode && it.body && it.descriptor?.functionName == 'retry' }
        def last = tries.max { it.id as int }
        def errors = nodes.findAll { it.getAction(ErrorAction) && stageOf(it) && (!last || last in it.enclosingBlocks) }
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
        if (!(error instanceof FlowInterruptedException)) {
            return (error.message ?: error.class.simpleName).readLines().first()
        }
        error.causes*.shortDescription.join(', ') ?: "stopped by hand, or after ${LIMIT} minutes"
    }

    private static String loggedReason(Run run) {
        def lines = run.getLog(LINES)*.replaceFirst(TIMESTAMP, '')
        if (lines.any { it ==~ /ERROR: .*Jenkinsfile not found/ }) return 'There is no Jenkinsfile; add one at the top of the repository.'
        lines.find { it.startsWith('WorkflowScript:') } ?: lines.reverse().find { it.startsWith('ERROR: ') } ?: "ended ${run.result}"
    }
}

/** A build whose agent died under it is built once more; the new one names the lost one as its cause. */
class LostAgent {
    static final String SHELL_GONE = /script returned exit code -[12]/ // of a step whose shell shows no sign of life

    static boolean buildsAgain(Run run) {
        def error = Verdict.firstError(run)?.getAction(ErrorAction)?.error
        def lost = error && (error.message ==~ SHELL_GONE || new AgentErrorCondition().test(error, null))
        if (!lost || run.getCause(Cause.UpstreamCause)) return false
        def cause = new CauseAction(new Cause.UpstreamCause(run))
        Queue.instance.schedule2(run.parent, 0, run.getAction(ParametersAction), cause).accepted
    }
}

def statuses = new Statuses()
def jenkins = Jenkins.get()
def pageOf = { Run run -> "${jenkins.rootUrl}${run.url}" as String }
def ours = Subject.REPOSITORIES.collect { jenkins.getItemByFullName(it) }.findAll()

jenkins.getExtensionList(QueueListener).add(new QueueListener() {
    void onEnterWaiting(Queue.WaitingItem item) { tell(item, 'pending', 'in the queue') }

    void onLeft(Queue.LeftItem item) { if (item.cancelled) tell(item, 'failure', 'cancelled in the queue') }

    void tell(Queue.Item item, String state, String description) {
        statuses.set(Subject.of(item), state, description, "${jenkins.rootUrl}${item.task.url}" as String)
    }
})

jenkins.getExtensionList(RunListener).add(new RunListener<Run>() {
    void onStarted(Run run, TaskListener listener) { statuses.set(Subject.of(run), 'pending', 'started', pageOf(run)) }

    void onCompleted(Run run, TaskListener listener) {
        if (!Subject.of(run) || LostAgent.buildsAgain(run)) return
        def verdict = new Verdict(run)
        statuses.set(Subject.of(run), verdict.state, verdict.reason, pageOf(run))
    }
})

jenkins.getExtensionList(GraphListener).add(new GraphListener() {
    void onNewHead(FlowNode node) {
        def label = node.getAction(LabelAction)?.displayName
        def run = label ? node.execution.owner.executable : null
        if (!(run instanceof WorkflowRun) || label.startsWith(Verdict.ITSELF) || node.getAction(ThreadNameAction)) return
        if (Verdict.firstError(run)) return // a stage that is skipped because one before it failed
        statuses.set(Subject.of(run), 'pending', "stage ${label}", pageOf(run))
    }
})

// Of the last day, the newest build of each commit: its status may have been lost when Jenkins or Gitea stopped.
Timer.get().schedule({
    def yesterday = System.currentTimeMillis() - TimeUnit.DAYS.toMillis(1)
    ours.each { job ->
        def builds = job.builds.byTimestamp(yesterday, System.currentTimeMillis()).findAll { !it.building && Subject.of(it) }
        builds.unique { Subject.of(it).commit }.each {
            def verdict = new Verdict(it)
            statuses.mend(Subject.of(it), verdict.state, verdict.reason, pageOf(it))
        }
    }
}, 20, TimeUnit.SECONDS)

// A build without a time limit of its own must not hold up its repository for ever.
Timer.get().scheduleAtFixedRate({
    ours*.lastBuild.findAll { it?.building }.each { run ->
        try {
            def age = System.currentTimeMillis() - run.startTimeInMillis
            if (age > TimeUnit.MINUTES.toMillis(Verdict.LIMIT)) run.executor?.interrupt(Result.ABORTED)
        } catch (Exception error) { // one that escapes would end the timer
            Statuses.LOG.log(Level.WARNING, "The age of ${run} could not be looked at", error)
        }
    }
}, 60, 60, TimeUnit.SECONDS)

jenkins.systemMessage = 'Every push to Gitea is built here. How a build stands is told to the commit as status ci.'
