// `python`: lambdas in Python, one file each. It carries no Python: the operator grants the one of the
// machine.
//
//   config = { file = "lambdas/thumbs.py" }         the lambda; relative paths are those of cape.toml
//   grant  = { read = ["lambdas"], code = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/python3.11"] }
//
// What else `config` may hold: path (a list of directories for imports, granted as well), library (the name
// or path of a libpython), home (what is above lib/python3.X; "/usr"). The script reads all of it as
// cape.config.
#include <cape/lambda.hpp>

#include "interpreter.hpp"
#include "script.hpp"

namespace {

class PythonLambda {
 public:
  PythonLambda(const cape::Config& config, const cape::Host& host) : script_(started(config), config, host) {}

  cape::Outcome operator()(const cape::Event& event, cape::Call& call) {
    return script_.process(event, call);
  }

 private:
  static const cape::python::Python& started(const cape::Config& config) {
    config.require<std::string>("file");
    return cape::python::start({config.get("library", ""), config.get("home", "/usr")});
  }

  cape::python::Script script_;
};

}  // namespace

CAPE_LAMBDA(PythonLambda, "python", "1.0.0")
