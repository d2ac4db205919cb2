// One lambda in Python: its file, run by the bridge's Python half (bridge.py). Thread: as its owner's calls.
#pragma once

#include <cape/lambda.hpp>

#include "interpreter.hpp"

namespace cape::python {

class Script {
 public:
  // Runs the file that `file` of the config names. Throws std::runtime_error with the Python error's text.
  Script(const Python& python, const Config& config, const Host& host);
  ~Script();
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  Outcome process(const Event& event, Call& call);

  // What the functions of `import cape` work on. A script may keep those functions and call them from a
  // thread of its own, so it lives as long as they do, and without a host once the lambda is gone.
  struct Context {
    const cape_host* host;
    const Call* call;  // null outside of process
  };

 private:
  PyObject* function(MethodDef& method) const;  // new
  Object fields_of(const Event& event) const;
  Outcome outcome_of(PyObject* result, Call& call) const;

  const Python& python_;
  Object capsule_;  // owns the context
  Context* context_;
  Object run_;
};

}  // namespace cape::python
