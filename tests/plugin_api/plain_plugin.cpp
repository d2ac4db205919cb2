// The same file as C++.
#include "plain_plugin.c"
