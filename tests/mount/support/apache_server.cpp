#include "tests/mount/support/apache_server.h"

#include <gtest/gtest.h>

#include "tests/mount/support/loopback.h"
#include "tests/mount/support/repository.h"
#include "tests/mount/support/temp_dir.h"

namespace concordfs::mounttest {
namespace {

namespace stdfs = std::filesystem;

constexpr char kModules[] = "/usr/lib/apache2/modules";

void Must(const std::vector<std::string>& argv) {
  const Outcome outcome = Run({.argv = argv, .environment = {}, .output_file = {}});
  EXPECT_EQ(outcome.status, 0) << argv[0] << ": " << outcome;
}

std::string Url(const std::string& scheme, const std::string& user, int port, const std::string& path) {
  return scheme + "://" + (user.empty() ? "" : user + "@") + "localhost:" + std::to_string(port) + "/" + path;
}

}  // namespace

ApacheServer::ApacheServer(stdfs::path folder, stdfs::path repositories)
    : folder_(std::move(folder)), repositories_(std::move(repositories)), http_port_(FreePort()), https_port_(FreePort()) {
  stdfs::create_directories(folder_);
  // Apache gives up being root: whoever it is then must be able to read, and to write into the repositories.
  Must({"chmod", "-R", "a+rwX", repositories_});
  for (stdfs::path above = repositories_; above != "/tmp" && above.has_relative_path(); above = above.parent_path()) Must({"chmod", "a+rx", above});
  MakeCertificates();
  SetPassword("nobody", "");
  WriteConfiguration();
  Start();
}

std::string ApacheServer::Https(const std::string& path, const std::string& user) const { return Url("https", user, https_port_, path); }
std::string ApacheServer::Http(const std::string& path, const std::string& user) const { return Url("http", user, http_port_, path); }

void ApacheServer::MakeCertificates() {
  const auto openssl = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    const Outcome made = Run({.argv = arguments, .cwd = folder_, .environment = {}, .output_file = {}});
    EXPECT_EQ(made.status, 0) << made;
  };
  for (const std::string name : {"authority", "stranger"}) {
    openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" + name, "-keyout",
             name + ".key", "-out", name + ".pem"});
  }
  WriteFile(folder_ / "names", "subjectAltName=DNS:localhost\n");
  openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"});
  openssl({"x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-days", "2", "-extfile", "names", "-out", "server.pem"});
}

void ApacheServer::SetPassword(const std::string& user, const std::string& password) {
  Process hash({.argv = {"openssl", "passwd", "-apr1", "-stdin"}, .environment = {}, .output_file = {}});
  hash.Send(password + "\n");
  hash.CloseInput();
  const Outcome hashed = hash.Wait();
  EXPECT_EQ(hashed.status, 0) << hashed;
  // Whoever reads it reads one of both.
  WriteFile(folder_ / "users.new", user + ":" + hashed.out);
  stdfs::permissions(folder_ / "users.new", stdfs::perms(0644));
  stdfs::rename(folder_ / "users.new", folder_ / "users");
}

void ApacheServer::WriteConfiguration() {
  std::string text;
  for (const char* module : {"mpm_event", "alias", "auth_basic", "authn_core", "authn_file", "authz_core", "authz_user", "cgid", "env", "ssl"}) {
    text += "LoadModule " + std::string(module) + "_module " + kModules + "/mod_" + module + ".so\n";
  }
  const std::string folder = folder_.string();
  const std::string program = Lines(Git("/", {"--exec-path"}).out).at(0) + "/git-http-backend";
  text += "ServerName localhost\nUser www-data\nGroup www-data\nServerRoot " + folder + "\nPidFile " + folder + "/pid\nMutex sem\nErrorLog " +
          folder + "/error.log\nLogFormat \"%m %U %>s %k\" brief\nCustomLog " + folder + "/access.log brief\n" +
          "ScriptSock " + folder + "/cgi\nKeepAlive On\n" +
          // One repository for all, of another owner than the CGI's, and pushes that the server has let in.
          "SetEnv GIT_PROJECT_ROOT " + repositories_.string() + "\nSetEnv GIT_HTTP_EXPORT_ALL 1\nSetEnv GIT_CONFIG_NOSYSTEM 1\n" +
          "SetEnv GIT_CONFIG_COUNT 3\nSetEnv GIT_CONFIG_KEY_0 safe.directory\nSetEnv GIT_CONFIG_VALUE_0 *\n" +
          "SetEnv GIT_CONFIG_KEY_1 http.receivepack\nSetEnv GIT_CONFIG_VALUE_1 true\n" +
          "SetEnv GIT_CONFIG_KEY_2 core.sharedRepository\nSetEnv GIT_CONFIG_VALUE_2 0666\n" +
          "ScriptAlias /git/ " + program + "/\nScriptAlias /public/ " + program + "/\nRedirect temp /moved/ /git/\n" +
          "<Location />\nRequire all granted\n</Location>\n";
  for (const char* where : {"^/git/", "^/public/.*/git-receive-pack$"}) {
    text += "<LocationMatch \"" + std::string(where) + "\">\nAuthType Basic\nAuthName git\nAuthUserFile " + folder + "/users\nRequire valid-user\n</LocationMatch>\n";
  }
  text += "Listen 127.0.0.1:" + std::to_string(http_port_) + "\nListen 127.0.0.1:" + std::to_string(https_port_) + " https\n<VirtualHost *:" +
          std::to_string(https_port_) + ">\nSSLEngine on\nSSLCertificateFile " + folder + "/server.pem\nSSLCertificateKeyFile " + folder +
          "/server.key\n</VirtualHost>\n";
  WriteFile(folder_ / "apache.conf", text);
  stdfs::permissions(folder_, stdfs::perms(0755));
}

void ApacheServer::Start() {
  // What it makes in the repositories is root's to change, too, who is the outsider of the tests.
  process_ = std::make_unique<Process>(
      ProcessSpec{.argv = {"bash", "-c", "umask 0 && exec apache2 -D FOREGROUND -f \"$0\"", folder_ / "apache.conf"},
                  .environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
                  .output_file = folder_ / "output.log"});
  EXPECT_TRUE(Eventually([this] { return Listens(http_port_) && Listens(https_port_); }))
      << "apache2 doesn't listen: " << ReadFile(folder_ / "output.log");
}

void ApacheServer::Kill9() { process_.reset(); }

std::vector<std::string> ApacheServer::Requests() const { return Lines(ReadFile(folder_ / "access.log")); }

}  // namespace concordfs::mounttest
