// Runs the native engine without Python: under an emulator, and with sanitizers.
//
//   native_driver variants                     print the usable variants
//   native_driver run VARIANT CASES OUTPUT     run one case after the other
//   native_driver together VARIANT CASES OUTPUT    run all cases at once, each in a thread, 4 times
//   native_driver fork VARIANT CASES OUTPUT    run all cases, then again in a child process
//
// Each case in the file CASES is: an EnetSpec; the number of weights and whether columns and rows
// follow, both int32; float32 weights; int32 columns and rows; the image. OUTPUT receives labels and
// confidence of each case.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "enet_native.h"

namespace {

[[noreturn]] void fail(const char* reason) {
  fprintf(stderr, "native_driver: %s\n", reason);
  exit(1);
}

struct Case {
  EnetSpec spec;
  std::vector<float> weights;
  std::vector<int32_t> columns, rows;
  std::vector<uint8_t> image, labels, confidence;
  EnetNetwork* network = nullptr;

  void create(const char* variant) {
    char error[256] = "";
    network = enet_create(variant, &spec, weights.data(), weights.size(),
                          columns.empty() ? nullptr : columns.data(),
                          rows.empty() ? nullptr : rows.data(), error, sizeof error);
    if (!network) fail(error);
  }
  void run() {
    std::vector<uint8_t> again(labels.size());
    enet_run(network, image.data(), labels.data(), confidence.data());
    enet_run(network, image.data(), again.data(), nullptr);
    if (again != labels) fail("the labels of two runs differ");
  }
};

template <class T> bool read(FILE* file, std::vector<T>& values, size_t count) {
  values.resize(count);
  return fread(values.data(), sizeof(T), count, file) == count;
}

std::vector<Case> read_cases(const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file) fail("the cases cannot be opened");
  std::vector<Case> cases;
  Case next;
  int32_t weights, indices;
  while (fread(&next.spec, sizeof next.spec, 1, file) == 1) {
    const EnetSpec& spec = next.spec;
    size_t predictions = size_t(spec.output_width) * spec.output_height;
    if (fread(&weights, 4, 1, file) != 1 || fread(&indices, 4, 1, file) != 1 ||
        !read(file, next.weights, weights) ||
        !read(file, next.columns, indices ? spec.output_width : 0) ||
        !read(file, next.rows, indices ? spec.output_height : 0) ||
        !read(file, next.image, size_t(spec.width) * spec.height * 3))
      fail("the cases are truncated");
    next.labels.resize(predictions);
    next.confidence.resize(predictions);
    cases.push_back(next);
  }
  fclose(file);
  return cases;
}

void run_in_order(std::vector<Case>& cases) {
  for (auto& each : cases) each.run();
}

void run_together(std::vector<Case>& cases) {
  std::vector<std::thread> threads;
  for (auto& each : cases)
    threads.emplace_back([&each] {
      for (int i = 0; i < 4; i++) each.run();
    });
  for (auto& thread : threads) thread.join();
}

void write(const std::vector<Case>& cases, const char* path) {
  FILE* file = fopen(path, "wb");
  if (!file) fail("the output cannot be opened");
  for (auto& each : cases)
    for (auto* plane : {&each.labels, &each.confidence})
      if (fwrite(plane->data(), 1, plane->size(), file) != plane->size()) fail("cannot write");
  if (fclose(file)) fail("cannot write");
}

}  // namespace

int main(int count, char** arguments) {
  std::string command = count > 1 ? arguments[1] : "";
  if (command == "variants") {
    puts(enet_variants());
    return 0;
  }
  if (count != 5) fail("expected: run, together or fork, VARIANT CASES OUTPUT");
  auto cases = read_cases(arguments[3]);
  for (auto& each : cases) each.create(arguments[2]);
  if (command == "together") {
    run_together(cases);
  } else {
    run_in_order(cases);
  }
  if (command == "fork") {
    for (auto& each : cases) each.labels.assign(each.labels.size(), 255);
    pid_t child = fork();
    if (child) {
      int status;
      if (waitpid(child, &status, 0) != child) fail("the child process is lost");
      run_in_order(cases);  // the parent goes on
      for (auto& each : cases) enet_destroy(each.network);
      return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
    run_in_order(cases);
  }
  write(cases, arguments[4]);
  for (auto& each : cases) enet_destroy(each.network);
  return 0;
}
