// tests/fakes/loaded_plugin.hpp
// A built plugin file loaded into this process, and instances of it over the fakes of plugin_host.hpp.
// Trouble throws std::runtime_error: it fails the test that asked.
#pragma once

#include <cape/plugin.h>
#include <dlfcn.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/fakes/plugin_host.hpp"

namespace cape::test {

class LoadedPlugin {
 public:
  explicit LoadedPlugin(const std::string& path) : library_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!library_) throw std::runtime_error(::dlerror());
    entry_ = static_cast<const cape_entry*>(::dlsym(library_.get(), "cape_entry_v1"));
    if (entry_ == nullptr) throw std::runtime_error(path + " exports no cape_entry_v1");
  }

  const cape_entry& entry() const { return *entry_; }
  bool exports(const char* symbol) const { return ::dlsym(library_.get(), symbol) != nullptr; }

  template <class Factory>
  const Factory& factory(const char* id) const {
    const void* found = entry_->get_factory(id);
    if (found == nullptr) throw std::runtime_error(std::string("no factory ") + id);
    return *static_cast<const Factory*>(found);
  }

 private:
  struct Close {
    void operator()(void* library) const { ::dlclose(library); }
  };
  std::unique_ptr<void, Close> library_;
  const cape_entry* entry_ = nullptr;
};

// An instance between create and destroy. created() must be CAPE_OK before anything else is called.
template <class Factory>
class Instance {
 public:
  Instance(const Factory& factory, const FakeHost& host, std::string_view json = "{}")
      : factory_(factory), created_(factory.create(host.table(), bytes(json), &self_)) {}
  ~Instance() {
    if (created_ == CAPE_OK) factory_.destroy(self_);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  cape_status created() const { return created_; }

 protected:
  void* self() const {
    if (created_ != CAPE_OK) throw std::runtime_error("create returned " + std::to_string(created_));
    return self_;
  }
  const Factory& factory_;

 private:
  void* self_ = nullptr;
  cape_status created_;
};

class LambdaInstance : public Instance<cape_lambda> {
 public:
  using Instance::Instance;

  cape_status process(FakeCall& call, const FakeEvent& event) {
    const cape_event view = event.view();
    return factory_.process(self(), call.table(), &view);
  }
  cape_status process(const FakeEvent& event) {
    FakeCall call;
    return process(call, event);
  }
  cape_status flush(FakeCall& call) { return factory_.flush(self(), call.table()); }
  cape_status flush() {
    FakeCall call;
    return flush(call);
  }
};

struct QueryResult {
  cape_status status = CAPE_INTERNAL;
  std::int64_t next_start = 0, latest = 0;
  std::uint32_t more = 0;
  bool operator==(const QueryResult&) const = default;
};

class SourceInstance : public Instance<cape_source> {
 public:
  using Instance::Instance;

  cape_status latest(FakeCall& call, std::string_view subject, std::int64_t& bound) {
    return factory_.latest(self(), call.table(), bytes(subject), &bound);
  }
  QueryResult query(FakeCall& call, std::string_view subject, std::int64_t start, std::uint32_t events_max,
                    std::uint64_t bytes_max = 1u << 20) {
    QueryResult result;
    result.status = factory_.query(self(), call.table(), bytes(subject), start, events_max, bytes_max,
                                   &result.next_start, &result.latest, &result.more);
    return result;
  }
  cape_status scan(FakeCall& call, std::string_view token, std::uint32_t subjects_max, std::uint32_t& more) {
    return factory_.scan(self(), call.table(), bytes(token), subjects_max, &more);
  }
  cape_status query_batch(FakeCall& call, std::vector<cape_source_query>& queries, std::uint32_t events_max,
                          std::uint64_t bytes_max = 1u << 20) {
    const auto* batch =
        static_cast<const cape_source_batch*>(factory_.get_extension(self(), CAPE_EXT_SOURCE_BATCH));
    if (batch == nullptr) throw std::runtime_error("the source has no batch extension");
    return batch->query_batch(self(), call.table(), queries.data(),
                              static_cast<std::uint32_t>(queries.size()), events_max, bytes_max);
  }
  const void* extension(const char* id) { return factory_.get_extension(self(), id); }
};

}  // namespace cape::test
