// Apache with git's own CGI program on loopback, by http:// and https://.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/mount/support/process.h"

namespace concordfs::mounttest {

// Serves the repositories of a folder:
//   /git/      to who logs in
//   /public/   to everybody; but who pushes must log in, which is asked of the push itself
//   /moved/    redirects to /git/
// Ended with its owner, by its pid. Threads: one.
class ApacheServer {
 public:
  // Its configuration, certificates and logs are in `folder`, which is made. The repositories are opened to who Apache runs as.
  ApacheServer(std::filesystem::path folder, std::filesystem::path repositories);

  // "https://localhost:<port>/<path>", "http://...". With a user: "https://USER@..."
  std::string Https(const std::string& path, const std::string& user = "") const;
  std::string Http(const std::string& path, const std::string& user = "") const;
  // The certificate of who vouches for this server, and one of somebody else.
  std::filesystem::path authority() const { return folder_ / "authority.pem"; }
  std::filesystem::path strange_authority() const { return folder_ / "stranger.pem"; }
  // From now on this user gets in by this password, and nobody else.
  void SetPassword(const std::string& user, const std::string& password);
  void Start();
  // Ends it, and what it does for its clients, at once.
  void Kill9();
  // What it noted of each request: "METHOD PATH STATUS CONNECTION", where the last is how many requests were on that connection before.
  std::vector<std::string> Requests() const;

 private:
  void MakeCertificates();
  void WriteConfiguration();

  const std::filesystem::path folder_;
  const std::filesystem::path repositories_;
  const int http_port_;
  const int https_port_;
  std::unique_ptr<Process> process_;
};

}  // namespace concordfs::mounttest
