#include "tests/system/cluster.hpp"

#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

namespace cape::test {

Cluster::Cluster(std::string config) : config_(std::move(config)), broker_(site_.dir(), "broker") {
  site_.configure(config_);
}

void Cluster::add_host(const std::string& name, const std::vector<std::string>& zoo, const std::string& own) {
  const fs::path dir = site_.dir() / name;
  fs::create_directories(dir / "plugins");
  fs::create_directories(dir / "io");
  for (const std::string& plugin : zoo) fs::copy_file(zoo_plugin(plugin), dir / "plugins" / (plugin + ".so"));
  const std::string endpoint = "ipc://" + (site_.data() / "run" / "hosts.sock").string();
  std::ofstream(dir / "cape.toml") << "data_dir = \"data\"\nplugins = [\"plugins\"]\nhost = { name = \""
                                   << name << "\", connect = \"" << endpoint << "\" }\n"
                                   << (own.empty() ? config_ : own);
  hosts_[name] = {dir, std::make_unique<Daemon>(dir, "host")};
}

bool Cluster::start_broker(const std::vector<std::string>& args) {
  std::vector<std::string> words{"broker"};
  words.insert(words.end(), args.begin(), args.end());
  return broker_.start_ready(words);
}

bool Cluster::start_host(const std::string& name) {
  return host(name).start_ready({"host"});
}

std::string Cluster::logs() const {
  std::string text = "broker:\n" + broker_.log();
  for (const auto& [name, host] : hosts_) text += "host " + name + ":\n" + host.daemon->log();
  return text;
}

fs::path Cluster::state(const std::string& host, const std::string& lambda) const {
  return hosts_.at(host).dir / "data" / "state" / "seen" / lambda;
}

std::vector<Recorded> Cluster::all_recorded(const std::string& lambda) const {
  std::vector<Recorded> all;
  for (const auto& [name, host] : hosts_)
    for (Recorded& r : recorded(state(name, lambda) / "record.log")) all.push_back(std::move(r));
  std::ranges::stable_sort(all, {}, &Recorded::time_ns);
  return all;
}

std::size_t Cluster::count(const std::string& lambda) const {
  std::size_t lines = 0;
  for (const auto& [name, host] : hosts_)
    lines +=
        static_cast<std::size_t>(std::ranges::count(read_text(state(name, lambda) / "record.log"), '\n'));
  return lines;
}

std::int64_t Cluster::status(const std::string& key) const {
  const Finished answer = site_.cape({"status", "--json"});
  if (answer.exit != 0) return -1;
  return nlohmann::json::parse(answer.out).at(key).get<std::int64_t>();
}

std::vector<pid_t> Cluster::children(const std::string& host) const {
  return Site::descendants(hosts_.at(host).daemon->pid());
}

std::int64_t steady_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::nanoseconds(now).count();
}

}  // namespace cape::test
