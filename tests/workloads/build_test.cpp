// Builds in the mount: sources versioned, results in an ignored directory; nothing is built twice, also after a
// remount.
#include "tests/workloads/workload.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A library of some files, a generated header, a program and its test.
constexpr char kProject[] = R"(
mkdir src
cat > CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.18)
project(small CXX)
set(names a b c d)
foreach(name ${names})
  configure_file(src/part.cpp.in src/${name}.cpp)
  list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/src/${name}.cpp)
endforeach()
add_custom_command(OUTPUT made.h COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/src/made.txt made.h DEPENDS src/made.txt)
add_library(parts STATIC ${sources} made.h)
target_include_directories(parts PUBLIC ${CMAKE_CURRENT_BINARY_DIR})
add_executable(small src/main.cpp)
target_link_libraries(small PRIVATE parts)
enable_testing()
add_test(NAME runs COMMAND small)
END
echo 'int part_@name@() { return 1; }' > src/part.cpp.in
echo '#define MADE 4' > src/made.txt
cat > src/main.cpp <<'END'
#include "made.h"
int part_a(); int part_b(); int part_c(); int part_d();
int main() { return part_a() + part_b() + part_c() + part_d() == MADE ? 0 : 1; }
END
)";

class BuildWorkload : public WorkloadTest {};

TEST_F(BuildWorkload, ConfiguresAndBuildsWithCmakeAndNinja) {
  Must(kProject);
  const std::string head = repository().Head();
  Must(
      "cmake -S . -B out/build -G Ninja -DCMAKE_BUILD_TYPE=Debug && cmake --build out/build && ctest --test-dir "
      "out/build");
  EXPECT_EQ(repository().Head(), head) << "no commit for a scratch file";
  EXPECT_THAT(Must("cmake --build out/build"), HasSubstr("no work to do"));

  mount().Unmount();
  mount().Remount();
  EXPECT_THAT(Must("cmake --build out/build"), HasSubstr("no work to do"));
  Must("echo '#define MADE 2 + 2' > src/made.txt");
  EXPECT_THAT(Must("cmake --build out/build"), HasSubstr("main.cpp"));
  EXPECT_THAT(Must("cmake --build out/build"), HasSubstr("no work to do"));
  Must("out/build/small && ctest --test-dir out/build");

  mount().Unmount();
  mount().Remount();
  EXPECT_THAT(Must("cmake --build out/build"), HasSubstr("no work to do"))
      << "also what was written here keeps its time";
}

TEST_F(BuildWorkload, BuildsNothingTheSecondTimeWithMake) {
  Must(
      "printf 'out/prog: out/a.o out/b.o\\n\\tcc -o $@ $^\\nout/%%.o: %%.c a.h Makefile\\n\\tcc -c -o $@ $<\\n' > "
      "Makefile");
  Must(
      "echo '#define A 0' > a.h; printf '#include \"a.h\"\\nint b(void);int main(){return A+b();}\\n' > a.c; echo 'int "
      "b(void){return 0;}' > b.c");
  Must("mkdir out; make -s -j2; out/prog");
  EXPECT_EQ(Run("make -q").status, 0);
  mount().Unmount();
  mount().Remount();
  EXPECT_EQ(Run("make -q").status, 0) << Must("make -n; stat -c '%n %.9Y' *.c *.h Makefile out/*");

  // Another agent, and somebody outside, change other files: nothing to do.
  EXPECT_EQ(RunAs("other", "echo x > unrelated", mount().path()).status, 0);
  Clone(repository(), Outside() / "clone").Push("outside", "x\n");
  EXPECT_TRUE(Eventually([this] { return Run("test -e outside").status == 0; }));
  EXPECT_EQ(Run("make -q").status, 0);
  mount().Unmount();
  mount().Remount();
  EXPECT_EQ(Run("make -q").status, 0);

  Must("echo 'int b(void){return 1;}' > b.c");
  EXPECT_EQ(Run("make -q").status, 1);
  EXPECT_THAT(Must("make"), Not(HasSubstr("a.c")));
  EXPECT_EQ(Run("out/prog").status, 1);
  EXPECT_EQ(Run("make -q").status, 0);
}

TEST_F(BuildWorkload, RebuildsWhatAPushFromOutsideChanged) {
  Must("printf 'out/f: f\\n\\tcp f out/f\\n' > Makefile; echo A > f; mkdir out; make -s");
  EXPECT_EQ(Run("make -q").status, 0);
  Clone(repository(), Outside() / "clone").Push("f", "B\n");
  EXPECT_TRUE(Eventually([this] { return Must("cat f") == "B\n"; }));
  EXPECT_EQ(Run("make -q").status, 1) << Must("stat -c '%n %.9Y' f out/f");
  EXPECT_EQ(Must("make -s; cat out/f"), "B\n");
}

}  // namespace
}  // namespace concordfs::mounttest
