// CPython in this process, by its stable ABI alone and found when it is needed: nothing of Python is linked.
// One interpreter for all instances; it is started once and never ended, for that leaks and the process ends
// anyway. Thread: start() in create; everything else while a Gil is held.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace cape::python {

struct PyObject;  // theirs
using PySize = std::ptrdiff_t;
using CFunction = PyObject* (*)(PyObject* self, PyObject* arguments);
struct MethodDef {  // PyMethodDef of the stable ABI
  const char* name;
  CFunction function;
  int flags;
  const char* doc;
};
inline constexpr int method_varargs = 1;

// The functions we use, by their names in CPython. All are of the stable ABI of 3.9 or older, but
// PyUnicode_AsUTF8AndSize, which is of 3.10.
struct Python {
  void (*Py_InitializeEx)(int);
  void (*Py_SetPythonHome)(const wchar_t*);
  const char* (*Py_GetVersion)();
  void (*Py_DecRef)(PyObject*);
  void (*Py_IncRef)(PyObject*);
  int (*PyGILState_Ensure)();
  void (*PyGILState_Release)(int);
  void* (*PyEval_SaveThread)();
  PyObject* (*PyEval_GetBuiltins)();
  PyObject* (*PyEval_EvalCode)(PyObject*, PyObject*, PyObject*);
  PyObject* (*Py_CompileString)(const char*, const char*, int);
  PyObject* (*PyDict_New)();
  PyObject* (*PyDict_GetItemString)(PyObject*, const char*);
  int (*PyDict_SetItemString)(PyObject*, const char*, PyObject*);
  PyObject* (*PyObject_CallObject)(PyObject*, PyObject*);
  PyObject* (*PyObject_Str)(PyObject*);
  PyObject* (*PyTuple_New)(PySize);
  int (*PyTuple_SetItem)(PyObject*, PySize, PyObject*);
  PyObject* (*PyTuple_GetItem)(PyObject*, PySize);
  PySize (*PyTuple_Size)(PyObject*);
  PyObject* (*PyLong_FromLongLong)(long long);
  PyObject* (*PyLong_FromUnsignedLongLong)(unsigned long long);
  long long (*PyLong_AsLongLong)(PyObject*);
  double (*PyFloat_AsDouble)(PyObject*);
  PyObject* (*PyBool_FromLong)(long);
  PyObject* (*PyBytes_FromStringAndSize)(const char*, PySize);
  int (*PyBytes_AsStringAndSize)(PyObject*, char**, PySize*);
  PyObject* (*PyUnicode_DecodeUTF8)(const char*, PySize, const char*);
  const char* (*PyUnicode_AsUTF8AndSize)(PyObject*, PySize*);
  PyObject* (*PyCapsule_New)(void*, const char*, void (*)(PyObject*));
  void* (*PyCapsule_GetPointer)(PyObject*, const char*);
  PyObject* (*PyCFunction_NewEx)(MethodDef*, PyObject*, PyObject*);
  PyObject* (*PyErr_Occurred)();
  void (*PyErr_Fetch)(PyObject**, PyObject**, PyObject**);
  void (*PyErr_Clear)();
};

struct Options {
  std::string library;  // its name or path; empty: the newest of the usual names that is there
  std::string home;     // what is above lib/python3.X
};

// The running interpreter, started with the first call; later ones find it as it is. Throws
// std::runtime_error with what is missing and which grant gives it.
const Python& start(const Options& options);

// Holds the interpreter's lock.
class Gil {
 public:
  explicit Gil(const Python& python) : python_(python), state_(python.PyGILState_Ensure()) {}
  ~Gil() { python_.PyGILState_Release(state_); }
  Gil(const Gil&) = delete;
  Gil& operator=(const Gil&) = delete;

 private:
  const Python& python_;
  int state_;
};

// A reference that is ours. Its end takes the lock by itself: an exception may let go of the one above first.
class Object {
 public:
  Object(const Python& python, PyObject* owned) : python_(&python), object_(owned) {}
  Object(Object&& other) noexcept : python_(other.python_), object_(other.release()) {}
  Object& operator=(Object&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Object() {
    if (object_ == nullptr) return;
    const Gil gil(*python_);
    python_->Py_DecRef(object_);
  }
  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  PyObject* release() {
    PyObject* given = object_;
    object_ = nullptr;
    return given;
  }

 private:
  const Python* python_;
  PyObject* object_;
};

PyObject* text(const Python& python, std::string_view from);   // new; bytes that are no UTF-8 are replaced
PyObject* bytes(const Python& python, std::string_view from);  // new
// A tuple that takes these references over. Throws std::bad_alloc if one of them could not be made.
Object tuple(const Python& python, std::initializer_list<PyObject*> items);
// The text of a str; empty for anything else.
std::string words_of(const Python& python, PyObject* object);
// The pending exception's text, which is then gone.
std::string take_error(const Python& python);

}  // namespace cape::python
