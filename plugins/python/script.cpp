#include "script.hpp"

#include <stdexcept>

#include "bridge_source.hpp"

namespace cape::python {
namespace {

constexpr char capsule_name[] = "cape.context";
constexpr int file_input = 257;  // Py_file_input: a whole file is compiled

// The functions below are called by Python, so they find its functions where the first start() put them.
const Python& here() {
  return start({});
}

Script::Context& context_of(const Python& python, PyObject* self) {
  return *static_cast<Script::Context*>(python.PyCapsule_GetPointer(self, capsule_name));
}

void delete_context(PyObject* capsule) {
  delete &context_of(here(), capsule);
}

PyObject* none(const Python& python) {
  // There is no function that gives None; an empty tuple is as good for results that nobody reads.
  return python.PyTuple_New(0);
}

PyObject* log(PyObject* self, PyObject* arguments) {
  const Python& python = here();
  const Script::Context& context = context_of(python, self);
  const auto level =
      static_cast<std::int32_t>(python.PyLong_AsLongLong(python.PyTuple_GetItem(arguments, 0)));
  const std::string line = words_of(python, python.PyTuple_GetItem(arguments, 1));
  if (context.host != nullptr) context.host->log(context.host, level, bytes_of(line));
  return none(python);
}

PyObject* heartbeat(PyObject* self, PyObject*) {
  const Python& python = here();
  if (const Call* call = context_of(python, self).call) call->heartbeat();
  return none(python);
}

PyObject* cancelled(PyObject* self, PyObject*) {
  const Python& python = here();
  const Call* call = context_of(python, self).call;
  return python.PyBool_FromLong(call != nullptr && call->cancelled() ? 1 : 0);
}

PyObject* metric(PyObject* self, PyObject* arguments) {
  const Python& python = here();
  const Script::Context& context = context_of(python, self);
  const std::string name = words_of(python, python.PyTuple_GetItem(arguments, 0));
  const auto kind = static_cast<std::int32_t>(python.PyLong_AsLongLong(python.PyTuple_GetItem(arguments, 1)));
  const std::uint32_t id =
      context.host != nullptr ? context.host->metric(context.host, bytes_of(name), kind) : 0;
  return python.PyLong_FromUnsignedLongLong(id);
}

PyObject* metric_add(PyObject* self, PyObject* arguments) {
  const Python& python = here();
  const Script::Context& context = context_of(python, self);
  const auto id = static_cast<std::uint32_t>(python.PyLong_AsLongLong(python.PyTuple_GetItem(arguments, 0)));
  const double value = python.PyFloat_AsDouble(python.PyTuple_GetItem(arguments, 1));
  if (id != 0 && context.host != nullptr) context.host->metric_add(context.host, id, value);
  return none(python);
}

MethodDef log_method{"log", log, method_varargs, nullptr};
MethodDef heartbeat_method{"heartbeat", heartbeat, method_varargs, nullptr};
MethodDef cancelled_method{"cancelled", cancelled, method_varargs, nullptr};
MethodDef metric_method{"metric", metric, method_varargs, nullptr};
MethodDef metric_add_method{"metric_add", metric_add, method_varargs, nullptr};

// The bridge's Python half, compiled and run once.
PyObject* bridge(const Python& python) {
  static PyObject* const globals = [&python] {
    Object made(python, python.PyDict_New());
    python.PyDict_SetItemString(made.get(), "__builtins__", python.PyEval_GetBuiltins());
    const Object code(python, python.Py_CompileString(bridge_source, "cape/bridge.py", file_input));
    const Object done(python, code ? python.PyEval_EvalCode(code.get(), made.get(), made.get()) : nullptr);
    if (!done) throw std::runtime_error("the bridge does not run in this Python: " + take_error(python));
    return made.release();
  }();
  return globals;
}

Object call(const Python& python, const char* function, const Object& arguments) {
  return Object(python, python.PyObject_CallObject(python.PyDict_GetItemString(bridge(python), function),
                                                   arguments.get()));
}

}  // namespace

Script::Script(const Python& python, const Config& config, const Host& host)
    : python_(python),
      capsule_(python, nullptr),
      context_(new Context{host.table(), nullptr}),
      run_(python, nullptr) {
  const Gil gil(python_);
  capsule_ = Object(python_, python_.PyCapsule_New(context_, capsule_name, delete_context));
  Object functions =
      tuple(python_, {function(log_method), function(heartbeat_method), function(cancelled_method),
                      function(metric_method), function(metric_add_method)});
  Object names = tuple(python_, {text(python_, host.domain()), text(python_, host.topology()),
                                 text(python_, host.lambda()), text(python_, host.state_dir())});
  const Object arguments =
      tuple(python_, {functions.release(), names.release(), text(python_, config.json())});
  run_ = call(python_, "load", arguments);
  if (!run_) throw std::runtime_error(take_error(python_));
  if (!call(python_, "loaded", tuple(python_, {}))) throw std::runtime_error(take_error(python_));
}

Script::~Script() {
  const Gil gil(python_);
  context_->host = nullptr;
}

PyObject* Script::function(MethodDef& method) const {
  return capsule_ ? python_.PyCFunction_NewEx(&method, capsule_.get(), nullptr) : nullptr;
}

Object Script::fields_of(const Event& event) const {
  const cape_event& table = *event.table();
  Object inputs(python_, python_.PyTuple_New(static_cast<PySize>(table.input_count)));
  for (std::uint32_t i = 0; inputs && i < table.input_count; ++i) {
    Object pair = tuple(python_, {text(python_, text_of(table.inputs[i]->lambda)),
                                  bytes(python_, text_of(table.inputs[i]->output))});
    python_.PyTuple_SetItem(inputs.get(), static_cast<PySize>(i), pair.release());
  }
  return tuple(python_, {text(python_, event.domain()), text(python_, event.subject()),
                         python_.PyLong_FromLongLong(event.sequence()),
                         python_.PyLong_FromLongLong(event.time_ns()), text(python_, event.type()),
                         bytes(python_, event.payload()), python_.PyLong_FromUnsignedLongLong(event.fence()),
                         python_.PyLong_FromLongLong(event.attempt()),
                         python_.PyLong_FromLongLong(table.flags), inputs.release()});
}

// (status, reason) or (OK, "", output).
Outcome Script::outcome_of(PyObject* result, Call& call) const {
  const auto status = static_cast<cape_status>(python_.PyLong_AsLongLong(python_.PyTuple_GetItem(result, 0)));
  const std::string reason = words_of(python_, python_.PyTuple_GetItem(result, 1));
  if (status != CAPE_OK) return Outcome::of(status, reason);
  if (python_.PyTuple_Size(result) > 2) {
    char* from = nullptr;
    PySize size = 0;
    if (python_.PyBytes_AsStringAndSize(python_.PyTuple_GetItem(result, 2), &from, &size) != 0)
      return Outcome::retry(take_error(python_));
    call.emit({from, static_cast<std::size_t>(size)});
  }
  return Outcome::ok();
}

Outcome Script::process(const Event& event, Call& call) {
  const Gil gil(python_);
  const Object fields = fields_of(event);
  context_->call = &call;
  const Object result(python_, python_.PyObject_CallObject(run_.get(), fields.get()));
  context_->call = nullptr;
  if (!result) return Outcome::retry(take_error(python_));
  return outcome_of(result.get(), call);
}

}  // namespace cape::python
