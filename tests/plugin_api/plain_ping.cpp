// The same file as C++.
#include "plain_ping.c"
