# Sourced by tests that run children at the default sandbox level: ends them with 77, skipped, where that cannot be.
if ! unshare --user true 2>/dev/null; then
  echo "skipped: this machine refuses user namespaces (user.max_user_namespaces, container policy)"
  exit 77
fi
