#include "vcs/git/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "vcs/git/git_command.h"
#include "vcs/git/handles.h"

namespace concordfs::vcs::git {
namespace {

constexpr char kDefaultUser[] = "x-access-token";
constexpr std::size_t kMaxToken = 16 << 10;  // bytes

Error NoToken(const std::filesystem::path& file, const std::string& why) {
  return Error{Code::kAccess, "token file '" + file.string() + "': " + why};
}

// Of "NAME=value" lines.
std::optional<std::string_view> FindLine(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=') return line.substr(name.size() + 1);
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
  }
  return std::nullopt;
}

}  // namespace

Result<void> CheckToken(const Secret& token, std::string_view what) {
  if (token.empty()) return Error{Code::kAccess, std::string(what) + ": no token in it"};
  const bool is_line = std::none_of(token.text().begin(), token.text().end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!is_line) return Error{Code::kAccess, std::string(what) + ": one line with the token is expected, and nothing else"};
  return {};
}

Result<Secret> ReadTokenFile(const std::filesystem::path& file) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return NoToken(file, std::strerror(errno));
  struct stat attributes {};
  if (::fstat(fd.get(), &attributes) != 0) return NoToken(file, std::strerror(errno));
  if (!S_ISREG(attributes.st_mode)) return NoToken(file, "no file");
  if ((attributes.st_mode & 077) != 0) return NoToken(file, "others may read it; it is refused until chmod 600 makes it its owner's alone");
  std::string text;
  text.reserve(kMaxToken);
  std::array<char, 1024> buffer;
  ssize_t count = 0;
  while (text.size() + buffer.size() <= kMaxToken && (count = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  const int failed = errno;
  explicit_bzero(buffer.data(), buffer.size());
  while (!text.empty() && std::strchr(" \t\r\n", text.back()) != nullptr) text.pop_back();
  const Secret token(std::move(text));
  if (count < 0) return NoToken(file, std::strerror(failed));
  if (count > 0) return NoToken(file, "too long");
  if (auto checked = CheckToken(token, "token file '" + file.string() + "'"); !checked) return checked.error();
  return token;
}

Result<Secret> Credentials::Token() const {
  if (token_file_.empty()) return token_;
  return ReadTokenFile(token_file_);
}

Result<std::optional<Login>> Credentials::Offer() {
  if (!HasToken()) return login_;
  auto token = Token();
  if (!token) return token.error();
  return std::optional(Login{url_.user.empty() ? kDefaultUser : url_.user, *std::move(token)});
}

Result<Login> Credentials::AfterRefusal(const std::optional<Login>& sent) {
  if (HasToken()) {
    auto now = Offer();
    if (!now) return now.error();
    if (!sent || (*now)->password != sent->password) return **std::move(now);  // it was replaced meanwhile
    return Error{Code::kAccess, url_.Shown() + ": the token is refused"};
  }
  if (!sent) return AskHelpers();
  const bool had_worked = was_accepted_;
  TellHelpers("reject");
  login_.reset();
  // What worked until now may have a successor.
  if (had_worked) return AskHelpers();
  return Error{Code::kAccess, url_.Shown() + ": what git's credential helper gives is refused"};
}

void Credentials::NoteAccepted() {
  if (!login_ || was_accepted_) return;
  was_accepted_ = true;
  TellHelpers("approve");
}

Result<Login> Credentials::AskHelpers() {
  const std::string host = url_.host.find(':') == std::string::npos ? url_.host : '[' + url_.host + ']';
  std::string question = url_.transport == RemoteUrl::Transport::kHttps ? "protocol=https\n" : "protocol=http\n";
  question += "host=" + host + (url_.port.empty() ? "" : ":" + url_.port) + "\npath=" + url_.path.substr(1) + '\n';
  if (!url_.user.empty()) question += "username=" + url_.user + '\n';
  auto answer = AskGit({"credential", "fill"}, question + '\n', patience_);
  if (!answer) return Error{answer.code(), url_.Shown() + ": asks for a password, and git credential: " + answer.error().message};
  const auto user = FindLine(answer->text(), "username");
  const auto password = FindLine(answer->text(), "password");
  if (!user || !password) {
    return Error{Code::kAccess, url_.Shown() + ": asks for a password, and there is neither a token nor a credential helper that has one"};
  }
  login_ = Login{std::string(*user), Secret(std::string(*password))};
  description_ = *std::move(answer);
  was_accepted_ = false;
  return *login_;
}

void Credentials::TellHelpers(const char* verdict) {
  std::string text;
  text.reserve(description_.text().size() + 1);
  text.append(description_.text()).append("\n");
  (void)AskGit({"credential", verdict}, text, patience_);  // a helper that doesn't listen harms nobody
  Secret::Wipe(text);
}

}  // namespace concordfs::vcs::git
