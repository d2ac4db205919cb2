// The two children over a process that is already there. start_lambda_child and start_source_child use it
// with the real one; tests bring a process without a sandbox, or one that lies.
#pragma once

#include <memory>

#include "host/child/lambda_child.hpp"
#include "host/child/process.hpp"
#include "host/child/source_child.hpp"

namespace cape::child {

std::unique_ptr<LambdaChild> make_lambda_child(ChildSpec spec, std::unique_ptr<ChildProcess> process);
std::unique_ptr<SourceChild> make_source_child(ChildSpec spec, std::unique_ptr<ChildProcess> process);

}  // namespace cape::child
