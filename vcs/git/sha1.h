// SHA-1 of bytes that nobody but us has made: fast, and without a look for collisions.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string_view>

#include "vcs/object_id.h"

namespace concordfs::vcs::git {

// Threads: one at a time.
class Sha1 {
 public:
  Sha1();
  // Goes on from where the other one is.
  Sha1(const Sha1& other);
  Sha1& operator=(const Sha1& other) = delete;
  Sha1(Sha1&&) = default;
  Sha1& operator=(Sha1&&) = default;

  // False if this machine's OpenSSL is set up to refuse SHA-1: then there will be no hash.
  bool ok() const { return ok_; }

  void Update(std::string_view bytes);
  // The hash of all bytes since the last one; the zero id if it isn't ok().
  ObjectId Finish();

 private:
  bool Start() { return EVP_DigestInit_ex(context_.get(), EVP_sha1(), nullptr) == 1; }

  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  std::unique_ptr<EVP_MD_CTX, Free> context_;
  bool ok_;
};

}  // namespace concordfs::vcs::git
