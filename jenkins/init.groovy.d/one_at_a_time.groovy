// One build at a time of a job, in order of arrival, and no more of repositories at once than the machine bears: the
// other executors are for what must not wait for a build (missed-pushes, run, promote, rollback: one each).
// As a property of the job a pushed Jenkinsfile could take
// it away: Declarative removes what an earlier Jenkinsfile declared and this one does not. For the same reason a job
// that a build has changed gets its own definition back.
import hudson.model.Queue
import hudson.model.Run
import hudson.model.TaskListener
import hudson.model.listeners.RunListener
import hudson.model.queue.CauseOfBlockage
import hudson.model.queue.QueueTaskDispatcher
import java.util.logging.Logger
import javax.xml.transform.stream.StreamSource
import jenkins.model.Jenkins
import org.jenkinsci.plugins.workflow.job.WorkflowJob

final int BUILDS = 2 // at once, of all repositories
def jenkins = Jenkins.get()
def ours = System.getenv('REPOSITORIES').tokenize(' ').collect { jenkins.getItemByFullName(it) }.findAll()

jenkins.getExtensionList(QueueTaskDispatcher).add(new QueueTaskDispatcher() {
    CauseOfBlockage canRun(Queue.Item item) {
        def job = item.task
        if (!(job instanceof WorkflowJob)) return null
        def earlier = Queue.instance.getItems(job).any { it.id < item.id } // several may be looked at before one starts
        def starting = Queue.instance.pendingItems*.task // their builds are not there yet
        def full = job.fullName in ours*.fullName && ours.count { it.building || it in starting } >= BUILDS
        if (!earlier && !job.building && !full) return null
        new CauseOfBlockage() { String getShortDescription() { 'waits for the builds before it' } }
    }
})

// What Declarative remembers of a Jenkinsfile stands in `actions`, all that counts in the rest.
def definition = { WorkflowJob job -> job.configFile.asString().replaceAll(/(?s)<actions>.*?<\/actions>|<actions\/>/, '') }
ours*.save() // in Jenkins' own words, which Job DSL's are not
def configured = ours.collectEntries { [it.fullName, it.configFile.asString()] }
def expected = ours.collectEntries { [it.fullName, definition(it)] }

jenkins.getExtensionList(RunListener).add(new RunListener<Run>() {
    void onCompleted(Run run, TaskListener listener) {
        def job = run.parent
        if (!(job.fullName in expected) || definition(job) == expected[job.fullName]) return
        Logger.getLogger('mlops-sandbox.jobs').warning("The Jenkinsfile of ${run} changed the job; it gets its definition back")
        job.updateByXml(new StreamSource(new StringReader(configured[job.fullName])))
    }
})
