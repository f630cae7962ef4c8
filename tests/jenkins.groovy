// Runs a declarative Jenkinsfile as far as this repository's uses it, in the working directory: real shell commands, and
// lines on stdout about what Jenkins would show. Arguments: the Jenkinsfile.
class Failed extends RuntimeException {
    Failed(String why) { super(why) }
}

abstract class Jenkins extends Script {
    private String result = 'SUCCESS'
    private boolean skips = false

    final Object any = 'any'

    void agent(Object where) { }
    void options(Closure body) { body() }
    void skipStagesAfterUnstable() { skips = true }
    void stages(Closure body) { body() }
    void steps(Closure body) { body() }
    void post(Closure body) { body() }
    void always(Closure body) { body() }

    void pipeline(Closure body) {
        body()
        println "RESULT ${result}"
    }

    void stage(String name, Closure body) {
        if (result == 'FAILURE' || (skips && result == 'UNSTABLE')) {
            println "SKIPPED ${name}"
            return
        }
        println "STAGE ${name}"
        try {
            body()
        } catch (Failed failed) {
            println "FAILED ${failed.message}"
            result = 'FAILURE'
        }
    }

    Integer sh(Map how) {
        Process process = new ProcessBuilder('sh', '-xe', '-c', how.script as String).inheritIO().start()
        int code = process.waitFor()
        if (code != 0 && !how.returnStatus) {
            throw new Failed("script returned exit code ${code}")
        }
        return code
    }

    void sh(String script) { sh(script: script) }
    void error(Object why) { throw new Failed(why as String) }
    void unstable(Object why) {
        println "UNSTABLE ${why}"
        result = 'UNSTABLE'
    }
    void junit(Map what) { println "JUNIT ${what.testResults}" }
    void archiveArtifacts(Map what) { println "ARCHIVE ${what.artifacts}" }
}

def configuration = new org.codehaus.groovy.control.CompilerConfiguration()
configuration.scriptBaseClass = Jenkins.name
new GroovyShell(this.class.classLoader, new Binding(), configuration).evaluate(new File(args[0]))
