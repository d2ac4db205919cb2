#include "interpreter.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <new>
#include <stdexcept>

namespace cape::python {
namespace {

constexpr int newest_minor = 20, oldest_minor = 10;

[[noreturn]] void no_python(const std::string& what) {
  throw std::runtime_error(what +
                           ": install it (Debian: libpython3.11) and grant what it needs: grant = { code = "
                           "[\"/usr/lib/x86_64-linux-gnu\", \"/usr/lib/python3.11\"] }");
}

// RTLD_GLOBAL: its extension modules do not name it, and find its symbols only so.
void* open_library(const std::string& wanted) {
  if (!wanted.empty()) {
    if (void* library = ::dlopen(wanted.c_str(), RTLD_NOW | RTLD_GLOBAL)) return library;
    no_python("cannot load " + wanted + " (" + ::dlerror() + ")");
  }
  for (int minor = newest_minor; minor >= oldest_minor; --minor)
    if (void* library =
            ::dlopen(("libpython3." + std::to_string(minor) + ".so.1.0").c_str(), RTLD_NOW | RTLD_GLOBAL))
      return library;
  no_python("there is no libpython3.*.so.1.0 here");
}

template <class Function>
void find(void* library, const char* name, Function& into) {
  into = reinterpret_cast<Function>(::dlsym(library, name));
  if (into == nullptr) no_python(std::string("this libpython has no ") + name + "; needed is 3.10 or newer");
}

#define CAPE_FIND(name) find(library, #name, python.name)
void find_all(void* library, Python& python) {
  CAPE_FIND(Py_InitializeEx);
  CAPE_FIND(Py_SetPythonHome);
  CAPE_FIND(Py_GetVersion);
  CAPE_FIND(Py_DecRef);
  CAPE_FIND(Py_IncRef);
  CAPE_FIND(PyGILState_Ensure);
  CAPE_FIND(PyGILState_Release);
  CAPE_FIND(PyEval_SaveThread);
  CAPE_FIND(PyEval_GetBuiltins);
  CAPE_FIND(PyEval_EvalCode);
  CAPE_FIND(Py_CompileString);
  CAPE_FIND(PyDict_New);
  CAPE_FIND(PyDict_GetItemString);
  CAPE_FIND(PyDict_SetItemString);
  CAPE_FIND(PyObject_CallObject);
  CAPE_FIND(PyObject_Str);
  CAPE_FIND(PyTuple_New);
  CAPE_FIND(PyTuple_SetItem);
  CAPE_FIND(PyTuple_GetItem);
  CAPE_FIND(PyTuple_Size);
  CAPE_FIND(PyLong_FromLongLong);
  CAPE_FIND(PyLong_FromUnsignedLongLong);
  CAPE_FIND(PyLong_AsLongLong);
  CAPE_FIND(PyFloat_AsDouble);
  CAPE_FIND(PyBool_FromLong);
  CAPE_FIND(PyBytes_FromStringAndSize);
  CAPE_FIND(PyBytes_AsStringAndSize);
  CAPE_FIND(PyUnicode_DecodeUTF8);
  CAPE_FIND(PyUnicode_AsUTF8AndSize);
  CAPE_FIND(PyCapsule_New);
  CAPE_FIND(PyCapsule_GetPointer);
  CAPE_FIND(PyCFunction_NewEx);
  CAPE_FIND(PyErr_Occurred);
  CAPE_FIND(PyErr_Fetch);
  CAPE_FIND(PyErr_Clear);
}
#undef CAPE_FIND

// Absent in a later Python: then its default holds.
void set_flag(void* library, const char* name) {
  if (int* flag = static_cast<int*>(::dlsym(library, name))) *flag = 1;
}

// Python ends the process when it cannot find its standard library, so that is looked for first.
void expect_library(const Options& options, const Python& python) {
  const std::string full = python.Py_GetVersion();  // "3.11.2 (main, ...)"
  const std::string version = full.substr(0, full.find('.', full.find('.') + 1));
  const std::string file = options.home + "/lib/python" + version + "/encodings/__init__.py";
  if (std::FILE* there = std::fopen(file.c_str(), "rb")) {
    std::fclose(there);
    return;
  }
  no_python("Python " + version + " does not find its standard library in " + options.home + "/lib/python" +
            version);
}

Python begin(const Options& options) {
  Python python = {};
  void* library = open_library(options.library);
  find_all(library, python);
  expect_library(options, python);
  // No environment, no site: sys.path is the standard library and what the config names.
  for (const char* flag :
       {"Py_IgnoreEnvironmentFlag", "Py_NoSiteFlag", "Py_NoUserSiteDirectory", "Py_DontWriteBytecodeFlag"})
    set_flag(library, flag);
  static std::wstring home;  // Python keeps the pointer
  home.assign(options.home.begin(), options.home.end());
  python.Py_SetPythonHome(home.c_str());
  python.Py_InitializeEx(0);  // no signal handlers
  python.PyEval_SaveThread();
  return python;
}

}  // namespace

const Python& start(const Options& options) {
  static const Python python = begin(options);
  return python;
}

PyObject* text(const Python& python, std::string_view from) {
  return python.PyUnicode_DecodeUTF8(from.data(), static_cast<PySize>(from.size()), "replace");
}

PyObject* bytes(const Python& python, std::string_view from) {
  return python.PyBytes_FromStringAndSize(from.data(), static_cast<PySize>(from.size()));
}

Object tuple(const Python& python, std::initializer_list<PyObject*> items) {
  Object made(python, python.PyTuple_New(static_cast<PySize>(items.size())));
  bool whole = static_cast<bool>(made);
  PySize at = 0;
  for (PyObject* item : items) {
    whole = whole && item != nullptr;
    if (!made && item != nullptr) python.Py_DecRef(item);
    if (made) python.PyTuple_SetItem(made.get(), at++, item);
  }
  if (whole) return made;
  python.PyErr_Clear();
  throw std::bad_alloc();
}

std::string words_of(const Python& python, PyObject* object) {
  PySize size = 0;
  const char* from = object == nullptr ? nullptr : python.PyUnicode_AsUTF8AndSize(object, &size);
  if (from == nullptr) {
    python.PyErr_Clear();
    return {};
  }
  return {from, static_cast<std::size_t>(size)};
}

std::string take_error(const Python& python) {
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  python.PyErr_Fetch(&type, &value, &trace);
  const Object own_type(python, type), own_value(python, value), own_trace(python, trace);
  const Object words(python, own_value ? python.PyObject_Str(own_value.get()) : nullptr);
  const std::string found = words_of(python, words.get());
  return found.empty() ? "an exception without words" : found;
}

}  // namespace cape::python
