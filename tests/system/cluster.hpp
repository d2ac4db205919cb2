// tests/system/cluster.hpp
// Cluster is one `cape broker` and several `cape host`, each with a directory, a config and a data_dir of its
// own. The broker's is a Site, so that the commands of a person run there.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/system/history.hpp"
#include "tests/system/process.hpp"

namespace cape::test {

class Cluster {
 public:
  // `config` goes into every cape.toml behind the common head.
  explicit Cluster(std::string config);

  // A host's directory and config, with `zoo` as its plugins. `extra`: a config of its own instead of the
  // common one.
  void add_host(const std::string& name, const std::vector<std::string>& zoo, const std::string& own = "");
  bool start_broker(const std::vector<std::string>& args = {});
  bool start_host(const std::string& name);
  // Everything a failed test wants to see.
  std::string logs() const;

  Site& site() { return site_; }
  Daemon& broker() { return broker_; }
  Daemon& host(const std::string& name) { return *hosts_.at(name).daemon; }
  fs::path state(const std::string& host, const std::string& lambda) const;
  // What the recorders of all hosts wrote, in the order of time. Requires: times = true in their config.
  std::vector<Recorded> all_recorded(const std::string& lambda) const;
  std::size_t count(const std::string& lambda) const;  // lines of it; cheap enough to look at often
  // A number of `cape status`; -1: no broker answers.
  std::int64_t status(const std::string& key) const;
  // Processes that hold one of the life locks of a host: its children, and itself.
  std::vector<pid_t> children(const std::string& host) const;

 private:
  struct Host {
    fs::path dir;
    std::unique_ptr<Daemon> daemon;
  };
  Site site_;
  std::string config_;
  Daemon broker_;
  std::map<std::string, Host> hosts_;
};

std::int64_t steady_ns();

}  // namespace cape::test
