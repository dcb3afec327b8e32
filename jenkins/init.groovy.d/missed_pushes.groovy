// What was pushed while Jenkins was away is looked for as soon as it is back.
import jenkins.model.Jenkins
import jenkins.util.Timer
import java.util.concurrent.TimeUnit

Timer.get().schedule({
    Jenkins.get().getItemByFullName('missed-pushes')?.scheduleBuild2(0)
}, 15, TimeUnit.SECONDS)
