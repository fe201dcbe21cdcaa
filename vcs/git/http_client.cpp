#include "vcs/git/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "vcs/git/handles.h"
#include "vcs/git/pkt_line.h"

namespace concordfs::vcs::git {
namespace {

using Clock = std::chrono::steady_clock;
using EasyHandle = std::unique_ptr<CURL, FreeWith<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, FreeWith<curl_multi_cleanup>>;
using ListHandle = std::unique_ptr<curl_slist, FreeWith<curl_slist_free_all>>;

// What an answer that nobody reads to its end may take to come to it, so that its connection can be kept.
constexpr std::chrono::milliseconds kLastWords{100};
// libcurl has timers of its own, of which it says when they are due; this is for those that it forgets.
constexpr std::chrono::milliseconds kLongestNap{1'000};
constexpr long kMostConnections = 2;  // that are kept

void InitCurl() {
  static const bool initialised = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  static_cast<void>(initialised);
}

bool IsOfCertificates(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR ||
         code == CURLE_SSL_CERTPROBLEM;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

ListHandle HeadersOf(const HttpRequest& request) {
  ListHandle headers;
  const auto add = [&](const char* line) { headers.reset(curl_slist_append(headers.release(), line)); };
  for (const std::string& line : request.headers) add(line.c_str());
  add("Expect:");  // git doesn't wait for a word before the body either
  return headers;
}

std::uint64_t SizeOf(CURL* easy, CURLINFO what) {
  curl_off_t size = 0;
  curl_easy_getinfo(easy, what, &size);
  return static_cast<std::uint64_t>(size);
}

std::uint64_t CountOf(CURL* easy, CURLINFO what) {
  long count = 0;
  curl_easy_getinfo(easy, what, &count);
  return static_cast<std::uint64_t>(count);
}

}  // namespace

struct HttpClient::Curl {
  MultiHandle multi{curl_multi_init()};  // has the connections
  EasyHandle easy{curl_easy_init()};
  ListHandle headers;  // of the request
  std::array<char, CURL_ERROR_SIZE> complaint{};
  bool refused_to_seek = false;
};

HttpClient::HttpClient(HttpSettings settings, std::chrono::milliseconds silence)
    : settings_(std::move(settings)), silence_(silence), curl_((InitCurl(), std::make_unique<Curl>())) {
  curl_multi_setopt(curl_->multi.get(), CURLMOPT_MAXCONNECTS, kMostConnections);
}

HttpClient::~HttpClient() { End(); }

std::size_t HttpClient::TakeHeader(char* bytes, std::size_t /*one*/, std::size_t size, void* self) {
  static_cast<HttpClient*>(self)->HearHeader({bytes, size});
  return size;
}

std::size_t HttpClient::TakeBody(char* bytes, std::size_t /*one*/, std::size_t size, void* self) {
  auto& client = *static_cast<HttpClient*>(self);
  if (!client.forgets_) client.received_.append(bytes, size);
  return size;
}

std::size_t HttpClient::GiveBody(char* out, std::size_t /*one*/, std::size_t size, void* self) {
  auto& client = *static_cast<HttpClient*>(self);
  const auto count = client.body_->Read(client.given_, out, size);
  if (!count) {
    client.fault_ = count.error();
    return CURL_READFUNC_ABORT;
  }
  client.given_ += *count;
  return *count;
}

// libcurl would send a body again on another connection where a kept one turned out to be closed without an answer. Somebody may have acted on
// the first one: that is our caller's to find out.
int HttpClient::SeekBody(void* self, std::int64_t /*offset*/, int /*origin*/) {
  static_cast<HttpClient*>(self)->curl_->refused_to_seek = true;
  return CURL_SEEKFUNC_FAIL;
}

void HttpClient::HearHeader(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    answer_ = HttpAnswer();
    const std::string_view number = line.substr(std::min(line.size(), line.find(' ') + 1));
    std::from_chars(number.data(), number.data() + number.size(), answer_.status);
  } else if (line.empty()) {
    has_head_ = answer_.status >= 200;  // what comes before are words on the way
  } else if (Lower(line.substr(0, line.find(':'))) == "content-type") {
    std::string_view type = line.substr(std::min(line.size(), line.find(':') + 1));
    type.remove_prefix(std::min(type.size(), type.find_first_not_of(' ')));
    answer_.content_type = Lower(type.substr(0, type.find_first_of("; ")));
  }
}

void HttpClient::Prepare(const HttpRequest& request) {
  CURL* const easy = curl_->easy.get();
  curl_easy_reset(easy);  // the connections stay
  curl_->headers = HeadersOf(request);
  curl_->complaint[0] = '\0';
  curl_->refused_to_seek = false;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_->complaint.data());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // nobody waits for the end of a look-up that takes too long
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));  // one request at a time gains nothing by 2
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "git/2.0 (concordfs)");  // some servers look for git's name
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, curl_->headers.get());
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // a proxy's words are no answer
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, TakeHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, TakeBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (request.body != nullptr) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, GiveBody);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, SeekBody);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
  }
  if (request.login) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(easy, CURLOPT_USERNAME, request.login->user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, request.login->password.text().c_str());
  }
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, settings_.verifies ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, settings_.verifies ? 2L : 0L);
  if (!settings_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, settings_.ca_file.c_str());
  if (!settings_.ca_folder.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, settings_.ca_folder.c_str());
  if (settings_.proxy) curl_easy_setopt(easy, CURLOPT_PROXY, settings_.proxy->c_str());
}

Result<HttpAnswer> HttpClient::Send(const HttpRequest& request) {
  LeaveLast();
  Prepare(request);
  body_ = request.body;
  given_ = 0;
  has_head_ = forgets_ = was_sent_ = distrusts_ = false;
  fault_.reset();
  answer_ = HttpAnswer();
  received_.clear();
  taken_ = 0;
  curl_multi_add_handle(curl_->multi.get(), curl_->easy.get());
  is_running_ = true;
  if (auto worked = WorkUntil([this] { return has_head_; }); !worked) return worked.error();
  if (auto ended = Outcome(); !has_head_ && !ended) return ended.error();
  if (!has_head_) return Error{Code::kUnreachable, "no answer"};
  if (answer_.status < 300 || answer_.status >= 400) return answer_;
  // libcurl says where it leads when all of it is there.
  forgets_ = true;
  if (auto worked = WorkUntil([] { return false; }); !worked) return worked.error();
  if (auto ended = Outcome(); !ended) return ended.error();
  char* location = nullptr;
  curl_easy_getinfo(curl_->easy.get(), CURLINFO_REDIRECT_URL, &location);
  if (location != nullptr) answer_.location = location;
  return answer_;
}

Result<std::size_t> HttpClient::Read(char* out, std::size_t size) {
  if (taken_ == received_.size()) {
    received_.clear();
    taken_ = 0;
    if (auto worked = WorkUntil([this] { return !received_.empty(); }); !worked) return worked.error();
  }
  if (received_.empty()) {
    if (auto ended = Outcome(); !ended) return ended.error();
    return std::size_t{0};
  }
  const std::size_t count = received_.copy(out, size, taken_);
  taken_ += count;
  return count;
}

Result<void> HttpClient::Outcome() const {
  if (fault_) return *fault_;
  return {};
}

Result<std::uint64_t> HttpClient::Work() {
  CURL* const easy = curl_->easy.get();
  int running = 0;
  if (const CURLMcode failed = curl_multi_perform(curl_->multi.get(), &running); failed != CURLM_OK) {
    return Error{Code::kUnreachable, curl_multi_strerror(failed)};
  }
  const std::uint64_t count = SizeOf(easy, CURLINFO_SIZE_UPLOAD_T) + SizeOf(easy, CURLINFO_SIZE_DOWNLOAD_T) +
                              CountOf(easy, CURLINFO_REQUEST_SIZE) + CountOf(easy, CURLINFO_HEADER_SIZE);
  was_sent_ = was_sent_ || CountOf(easy, CURLINFO_REQUEST_SIZE) > 0;
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(curl_->multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    distrusts_ = IsOfCertificates(code);
    if (code != CURLE_OK && !fault_) {
      const char* words = curl_->complaint[0] != '\0' ? curl_->complaint.data() : curl_easy_strerror(code);
      if (curl_->refused_to_seek) words = "the connection was closed";
      fault_ = Error{distrusts_ ? Code::kAccess : Code::kUnreachable, Printable(words)};
    }
    is_running_ = false;
  }
  if (!is_running_) curl_multi_remove_handle(curl_->multi.get(), easy);
  return count;
}

Result<void> HttpClient::WorkUntil(const std::function<bool()>& met) {
  std::uint64_t before = 0;
  auto heard = Clock::now();  // when something went over the line last
  while (is_running_) {
    const auto count = Work();
    if (!count) End();
    if (!count) return count.error();
    if (met() || !is_running_) break;
    const auto now = Clock::now();
    if (std::exchange(before, *count) != *count) heard = now;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(heard + silence_ - now);
    if (left.count() <= 0) {
      End();
      return Error{Code::kUnreachable, "no answer for " + std::to_string(silence_.count()) + " ms"};
    }
    curl_multi_poll(curl_->multi.get(), nullptr, 0, static_cast<int>(std::min(left, kLongestNap).count()), nullptr);
  }
  return {};
}

void HttpClient::LeaveLast() {
  forgets_ = true;
  const auto end = Clock::now() + kLastWords;
  while (is_running_ && Clock::now() < end) {
    if (!Work() || !is_running_) break;
    curl_multi_poll(curl_->multi.get(), nullptr, 0, static_cast<int>(kLastWords.count()), nullptr);
  }
  End();
}

void HttpClient::End() {
  if (is_running_) curl_multi_remove_handle(curl_->multi.get(), curl_->easy.get());  // and its connection is closed
  is_running_ = false;
}

}  // namespace concordfs::vcs::git
