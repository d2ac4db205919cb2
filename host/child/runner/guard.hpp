// guard() is the one door through which plugin code is called: an exception that escapes becomes a status
// with its words, whatever language threw it. pthread_exit passes, so that it ends the thread it was meant
// for.
#pragma once

#include <cape/plugin.h>
#include <cxxabi.h>
#include <string.h>

#include <exception>
#include <new>
#include <string>

#include "core/types.hpp"

namespace cape::child {

struct Verdict {
  cape_status status = CAPE_OK;  // as returned: any number
  std::string text;              // of the exception; empty otherwise
  bool threw = false;
  bool lost_output = false;  // it returned OK, and an output of the event had been refused
};

template <class Call>
Verdict guard(Call&& call) {
  try {
    return {.status = call(), .text = {}, .threw = false};
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (const std::bad_alloc&) {
    return {.status = CAPE_NO_MEMORY, .text = "an uncaught std::bad_alloc", .threw = true};
  } catch (const std::exception& e) {
    return {
        .status = CAPE_RETRY,
        .text = std::string("uncaught exception: ").append(e.what(), strnlen(e.what(), reason_bytes_max)),
        .threw = true};
  } catch (...) {
    return {.status = CAPE_RETRY, .text = "uncaught exception of an unknown type", .threw = true};
  }
}

}  // namespace cape::child
