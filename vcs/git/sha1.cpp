#include "vcs/git/sha1.h"

namespace concordfs::vcs::git {

Sha1::Sha1() : context_(EVP_MD_CTX_new()), ok_(Start()) {}

Sha1::Sha1(const Sha1& other)
    : context_(EVP_MD_CTX_new()), ok_(other.ok_ && EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()) == 1) {}

void Sha1::Update(std::string_view bytes) {
  ok_ = ok_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
}

ObjectId Sha1::Finish() {
  unsigned char hash[EVP_MAX_MD_SIZE];
  const bool done = ok_ && EVP_DigestFinal_ex(context_.get(), hash, nullptr) == 1;
  ok_ = Start();
  return done ? ObjectId::FromRaw(hash) : ObjectId();
}

}  // namespace concordfs::vcs::git
