// The kernel holds locks of its own while it waits for our answers, and our notifications wait for the same locks.
#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

class KernelLocks : public MountTest {
 protected:
  // Two agents make, write again and remove files in the directory "d", while a third keeps setting attributes there.
  // Nobody may wait for ever.
  void WriteWhile(const std::string& attributes_are_set) {
    constexpr char kWriter[] = R"(
import os, sys
for n in range(150):
    name = f'd/{sys.argv[1]}{n % 5}'
    for text in ('a', 'b'):
        with open(name, 'w') as file: file.write(text)
    os.unlink(name)
)";
    const std::string python = CONCORDFS_PYTHON;
    const std::string write = python + " -c \"" + kWriter + "\" ";
    Must("one", "mkdir d; (" + write + " one; CONCORDFS_AGENT=two touch d/end) & " + "CONCORDFS_AGENT=two " + write +
                    " two & CONCORDFS_AGENT=three " + python + " -c \"" + R"(
import contextlib, os
n = 0
while not os.path.exists('d/end'):
    n += 1
    with contextlib.suppress(FileNotFoundError):
)" + attributes_are_set + "\"; wait; rm d/end; rmdir d");
  }
};

// A new name's expiry waits for the directory's lock, which utimes(2) holds.
TEST_F(KernelLocks, ADirectorysAttributesAreSetWhileNamesInItChange) {
  WriteWhile("        os.utime('d', (n, n)); os.chmod('d', 0o755)");
}

// The same with one more in the ring: unlink(2) holds the directory's lock and waits for the file's, which utimes(2) holds.
TEST_F(KernelLocks, AFilesAttributesAreSetWhileItIsRemoved) {
  WriteWhile("        for name in os.listdir('d'): os.utime('d/' + name, (n, n))");
}

}  // namespace
}  // namespace concordfs::mounttest
