// The webhook trigger refuses a delivery without a word in the log; this says so.
import hudson.util.PluginServletFilter
import jakarta.servlet.Filter
import jakarta.servlet.FilterChain
import jakarta.servlet.ServletRequest
import jakarta.servlet.ServletResponse
import java.util.logging.Logger

PluginServletFilter.addFilter(new Filter() {
    void doFilter(ServletRequest request, ServletResponse response, FilterChain chain) {
        chain.doFilter(request, response)
        if (response.status < 400 || !request.requestURI.contains('/generic-webhook-trigger/')) return
        def delivery = (request.getHeader('X-Gitea-Delivery') ?: 'without id').replaceAll(/[^\w -]/, '').take(40)
        def why = response.status == 403 ? 'its signature is wrong or missing' : "answered ${response.status}"
        Logger.getLogger('mlops-sandbox.hooks').warning("Refused the delivery ${delivery} from ${request.remoteAddr}: ${why}")
    }
})
