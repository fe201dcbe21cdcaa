#include "vcs/git/http_connection.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "vcs/git/credentials.h"
#include "vcs/git/http_client.h"
#include "vcs/git/pkt_line.h"

namespace concordfs::vcs::git {

// Threads: one at a time.
class HttpSession {
 public:
  HttpSession(RemoteUrl url, const ConnectOptions& options)
      : url_(std::move(url)), git_dir_(options.git_dir), silence_(options.silence),
        credentials_(url_, options.token, options.token_file, options.silence) {}

  // Reads the configuration when it is needed first.
  HttpClient& client() {
    if (!client_) client_ = std::make_unique<HttpClient>(ReadHttpSettings(url_, git_dir_, silence_), silence_);
    return *client_;
  }
  // Forgets connections, certificates and configuration, so that who puts them right need not mount again.
  void Reset() { client_.reset(); }
  Credentials& credentials() { return credentials_; }
  const RemoteUrl& url() const { return url_; }

 private:
  const RemoteUrl url_;
  const std::filesystem::path git_dir_;
  const std::chrono::milliseconds silence_;
  std::unique_ptr<HttpClient> client_;
  Credentials credentials_;
};

namespace {

constexpr int kMaxRedirects = 5;
constexpr int kMaxLogins = 3;                          // in one request
constexpr std::size_t kMaxAdvertisement = 256 << 20;   // bytes
constexpr std::size_t kMaxWords = 300;                 // bytes of what a server says of an error

const char* NameOf(Service service) { return service == Service::kUploadPack ? "git-upload-pack" : "git-receive-pack"; }

std::string UsualPort(const RemoteUrl& url) {
  if (!url.port.empty()) return url.port;
  return url.transport == RemoteUrl::Transport::kHttps ? "443" : "80";
}

bool IsRedirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

// Without what must be there: "# service=..." and whatever goes with it, up to a flush packet.
std::optional<std::string_view> WithoutServiceName(std::string_view body, Service service) {
  const std::string name = EncodePacket(std::string("# service=") + NameOf(service) + '\n');
  const std::string unended = EncodePacket(std::string("# service=") + NameOf(service));
  if (!body.starts_with(name) && !body.starts_with(unended)) return std::nullopt;
  for (const std::string& packet : DecodePackets(body)) body.remove_prefix(EncodePacket(packet).size());
  if (!body.starts_with(kFlushPacket)) return std::nullopt;
  return body.substr(kFlushPacket.size());
}

class HttpConnection : public Connection {
 public:
  HttpConnection(std::shared_ptr<HttpSession> session, Service service, const ConnectOptions& options)
      : session_(std::move(session)), service_(service), base_(session_->url()), folder_(options.git_dir), request_(folder_) {}

  // Asks what the repository has.
  Result<void> Open() {
    auto opened = ReadAdvertisement();
    if (!opened && session_->client().distrusts()) session_->Reset();
    return opened;
  }

  Result<void> Write(std::string_view bytes) override {
    if (written_) written_ = request_.Append(bytes);
    is_answered_ = false;
    return written_;
  }

  Result<void> EndRequest() override {
    if (is_answered_) return {};
    is_answered_ = true;
    advertisement_.clear();
    auto sent = written_ ? SendRequest() : written_;
    if (!sent) fault_ = sent.error();
    return sent;
  }

  Result<std::size_t> Read(char* out, std::size_t size) override {
    if (auto ended = EndRequest(); !ended) return ended.error();
    if (fault_) return *fault_;
    if (taken_ < advertisement_.size()) {
      const std::size_t count = advertisement_.copy(out, size, taken_);
      taken_ += count;
      return count;
    }
    if (!has_answer_) return std::size_t{0};
    auto count = session_->client().Read(out, size);
    if (!count) fault_ = Named(count.error());
    return count ? count : Result<std::size_t>(*fault_);
  }

  bool IsQuiet() override { return true; }  // a server answers, and says nothing by itself

  Error WhyItEnded() override { return fault_ ? *fault_ : Gone("the answer ends too early"); }

 private:
  Error Gone(const std::string& why) const { return Error{Code::kUnreachable, base_.Shown() + ": " + why}; }
  Error NoAccess(const std::string& why) const { return Error{Code::kAccess, base_.Shown() + ": " + why}; }
  Error Named(const Error& error) const { return Error{error.code, base_.Shown() + ": " + error.message}; }
  std::string UrlOf(const std::string& tail) const {
    const std::string base = base_.Shown();
    return base + (base.ends_with('/') ? tail.substr(1) : tail);
  }

  // The media type of one of the service's messages.
  std::string TypeOf(const char* message) const { return std::string("application/x-") + NameOf(service_) + message; }

  Result<void> ReadAdvertisement();
  Result<void> SendRequest();
  // One whose answer doesn't matter, as git has it: a large one may then be sent knowing that we are let in.
  Result<void> Probe();
  Result<HttpAnswer> Post(const RequestBody& body);
  // Sends it, with a login where the server wants one.
  Result<HttpAnswer> Send(HttpRequest request);
  Error AnswerError(const HttpAnswer& answer, const std::string& wanted);
  std::string Words(const HttpAnswer& answer);

  const std::shared_ptr<HttpSession> session_;
  const Service service_;
  RemoteUrl base_;  // where a redirect leads
  const std::filesystem::path folder_;
  std::string advertisement_;
  std::size_t taken_ = 0;  // of advertisement_
  RequestBody request_;
  Result<void> written_;
  bool is_answered_ = true;  // nothing was written since
  bool has_answer_ = false;  // to what was written
  std::optional<Error> fault_;
};

Result<HttpAnswer> HttpConnection::Send(HttpRequest request) {
  Credentials& credentials = session_->credentials();
  const bool is_known = IsSameServer(session_->url(), base_);
  if (is_known) {
    auto login = credentials.Offer();
    if (!login) return login.error();
    request.login = *std::move(login);
  }
  for (int logins = 0;; ++logins) {
    const auto answer = session_->client().Send(request);
    if (!answer) return Named(answer.error());
    if (answer->status != 401) {
      if (request.login && answer->status < 400) credentials.NoteAccepted();
      return answer;
    }
    if (!is_known) return NoAccess("asks for a password, and isn't the server of the remote's address, " + session_->url().Shown());
    if (logins == kMaxLogins) return NoAccess("asks for a password again and again");
    auto login = credentials.AfterRefusal(request.login);
    if (!login) return login.error();
    request.login = *std::move(login);
  }
}

Result<void> HttpConnection::ReadAdvertisement() {
  const std::string tail = std::string("/info/refs?service=") + NameOf(service_);
  const std::string wanted = TypeOf("-advertisement");
  for (int redirects = 0;; ++redirects) {
    const auto answer = Send({UrlOf(tail), {"Accept: " + wanted}, nullptr, std::nullopt});
    if (!answer) return answer.error();
    if (IsRedirect(answer->status)) {
      if (redirects == kMaxRedirects) return NoAccess("sends us on again and again");
      auto base = FollowRedirect(base_, answer->location, tail);
      if (!base) return base.error();
      base_ = *std::move(base);
      continue;
    }
    if (answer->status != 200 || answer->content_type != wanted) return AnswerError(*answer, wanted);
    break;
  }
  std::string body;
  std::array<char, 16 << 10> buffer;
  for (;;) {
    const auto count = session_->client().Read(buffer.data(), buffer.size());
    if (!count) return Named(count.error());
    if (*count == 0) break;
    body.append(buffer.data(), *count);
    if (body.size() > kMaxAdvertisement) return Gone("has too many refs");
  }
  const auto refs = WithoutServiceName(body, service_);
  if (!refs) return Gone("the answer isn't git's");
  advertisement_ = *refs;
  return {};
}

Result<void> HttpConnection::SendRequest() {
  if (request_.IsLarge()) {
    if (auto probed = Probe(); !probed) return probed;
  }
  const std::string wanted = TypeOf("-result");
  const bool is_push = service_ == Service::kReceivePack;
  const auto answer = Post(request_);
  if (!answer) {
    Error error = answer.error();
    if (is_push && error.code != Code::kAccess && session_->client().was_sent()) error.code = Code::kInDoubt;
    return error;
  }
  has_answer_ = answer->status == 200 && answer->content_type == wanted;
  if (has_answer_) return {};
  Error error = AnswerError(*answer, wanted);
  if (is_push && error.code == Code::kUnreachable) error.code = answer->status == 413 ? Code::kDeclined : Code::kInDoubt;
  return error;
}

Result<void> HttpConnection::Probe() {
  RequestBody nothing(folder_);
  if (auto written = nothing.Append(kFlushPacket); !written) return written;
  const auto answer = Post(nothing);
  if (!answer) return answer.error();
  if (answer->status != 200) return AnswerError(*answer, TypeOf("-result"));
  return {};
}

Result<HttpAnswer> HttpConnection::Post(const RequestBody& body) {
  return Send({UrlOf(std::string("/") + NameOf(service_)),
               {"Content-Type: " + TypeOf("-request"), "Accept: " + TypeOf("-result")},
               &body,
               std::nullopt});
}

// What an answer that isn't the wanted one means.
Error HttpConnection::AnswerError(const HttpAnswer& answer, const std::string& wanted) {
  const std::string words = Words(answer);
  const std::string status = "HTTP " + std::to_string(answer.status);
  switch (answer.status) {
    case 200: return Gone("the answer isn't git's: " + (answer.content_type.empty() ? "no type" : answer.content_type) + " instead of " + wanted + words);
    case 403: return NoAccess("no access (" + status + ")" + words);
    case 404:
    case 410: return NoAccess("no such repository (" + status + ")" + words);
    default: return Gone(status + words);
  }
}

// What it says itself, if that is meant for people.
std::string HttpConnection::Words(const HttpAnswer& answer) {
  if (answer.content_type != "text/plain") return "";
  std::array<char, kMaxWords> buffer;
  const auto count = session_->client().Read(buffer.data(), buffer.size());
  if (!count || *count == 0) return "";
  std::string words = Printable({buffer.data(), *count});
  while (!words.empty() && words.back() == ' ') words.pop_back();
  return ": " + words;
}

}  // namespace

bool IsSameServer(const RemoteUrl& url, const RemoteUrl& other) {
  if (::strcasecmp(url.host.c_str(), other.host.c_str()) != 0) return false;
  if (url.transport == other.transport) return UsualPort(url) == UsualPort(other);
  return other.transport == RemoteUrl::Transport::kHttps && UsualPort(url) == "80" && UsualPort(other) == "443";
}

Result<RemoteUrl> FollowRedirect(const RemoteUrl& from, std::string_view location, std::string_view tail) {
  const auto refused = [&](const std::string& why) { return Error{Code::kAccess, from.Shown() + ": sends us elsewhere, " + why}; };
  if (!location.ends_with(tail)) return refused("not to a git server");
  location.remove_suffix(tail.size());
  auto to = ParseRemoteUrl(location);
  if (!to || !to->IsHttp()) return refused("not to a git server");
  if (from.transport == RemoteUrl::Transport::kHttps && to->transport == RemoteUrl::Transport::kHttp) return refused("without encryption");
  to->user.clear();
  return to;
}

std::shared_ptr<HttpSession> MakeHttpSession(const RemoteUrl& url, const ConnectOptions& options) {
  return std::make_shared<HttpSession>(url, options);
}

Result<std::unique_ptr<Connection>> ConnectHttp(const RemoteUrl& url, Service service, const ConnectOptions& options) {
  auto connection =
      std::make_unique<HttpConnection>(options.http ? options.http : MakeHttpSession(url, options), service, options);
  if (auto opened = connection->Open(); !opened) return opened.error();
  return std::unique_ptr<Connection>(std::move(connection));
}

}  // namespace concordfs::vcs::git
