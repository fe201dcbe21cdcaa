// HTTP by libcurl, as much of it as git's protocol needs: one request at a time, no wait without an end, and a connection that is kept for the
// next request.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vcs/git/http_settings.h"
#include "vcs/git/request_body.h"
#include "vcs/git/secret.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

struct HttpRequest {
  std::string url;                    // without who asks
  std::vector<std::string> headers;   // "Name: value"
  const RequestBody* body = nullptr;  // outlives the answer; null: a GET, else a POST
  std::optional<Login> login;         // by HTTP's "Basic"; nothing: none
};

// How an answer begins.
struct HttpAnswer {
  int status = 0;            // 200, 404, ...
  std::string content_type;  // without its parameters, in small letters
  std::string location;      // where it sends us, absolute; empty: nowhere. It is not followed
};

// Threads: one at a time. libcurl's own only looks up names.
class HttpClient {
 public:
  // `silence`: how long the other end may say nothing, and take nothing, in a look-up, a connect or later.
  HttpClient(HttpSettings settings, std::chrono::milliseconds silence);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Sends it, once, and waits for how the answer begins. What of the last answer was not read yet is forgotten.
  // Errors: kUnreachable; kAccess (a certificate that nobody vouches for: `distrusts()`). The messages don't name the other end.
  Result<HttpAnswer> Send(const HttpRequest& request);
  // After an error of Send: may the other end have got any of it?
  bool was_sent() const { return was_sent_; }
  // The last request failed for certificates.
  bool distrusts() const { return distrusts_; }
  // Bytes of the answer; 0 at its end. Errors: as Send.
  Result<std::size_t> Read(char* out, std::size_t size);

 private:
  struct Curl;  // its handles
  static std::size_t TakeHeader(char* bytes, std::size_t one, std::size_t size, void* self);
  static std::size_t TakeBody(char* bytes, std::size_t one, std::size_t size, void* self);
  static std::size_t GiveBody(char* out, std::size_t one, std::size_t size, void* self);
  static int SeekBody(void* self, std::int64_t offset, int origin);

  void Prepare(const HttpRequest& request);
  // Lets libcurl work until `met` or the request's end. Errors: kUnreachable (silence; the request is ended then).
  Result<void> WorkUntil(const std::function<bool()>& met);
  // One turn of it, without waiting. How much went over the line so far: grows as long as somebody is there.
  Result<std::uint64_t> Work();
  void HearHeader(std::string_view line);
  // What the request's end was, if it has one and was no success.
  Result<void> Outcome() const;
  void LeaveLast();
  void End();

  // Constant after construction.
  const HttpSettings settings_;
  const std::chrono::milliseconds silence_;
  const std::unique_ptr<Curl> curl_;
  // Of the request under way, or the last one.
  const RequestBody* body_ = nullptr;
  std::uint64_t given_ = 0;  // bytes of the body
  bool is_running_ = false;
  bool has_head_ = false;
  bool forgets_ = false;  // what still comes
  bool was_sent_ = false;
  bool distrusts_ = false;
  std::optional<Error> fault_;
  HttpAnswer answer_;
  std::string received_;
  std::size_t taken_ = 0;  // of received_
};

}  // namespace concordfs::vcs::git
