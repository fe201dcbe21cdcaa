// The loopback interface, on which the tests' servers are.
#pragma once

#include <netinet/in.h>

namespace concordfs::mounttest {

sockaddr_in Loopback(int port);
// A port that nobody listens on just now.
int FreePort();
// Does anybody take connections there?
bool Listens(int port);

}  // namespace concordfs::mounttest
