// A network between hosts that are network namespaces: packets take turns on the line of the host
// that sends them, travel for a while or are lost, and take turns on the line of the host that they
// are for. It is what tc's netem does, for kernels that are built without it.
//
//   relay MBIT_PER_SECOND DELAY_US LOSS SEED NAMESPACE…
//
// Gives every namespace a device `eth0`; the n-th one is the host whose address ends in n. Says
// `ready` when all devices are there, and runs until stdin ends.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace {

struct Packet {
  int64_t due;  // ns
  std::vector<char> bytes;
};

struct Host {
  int device;
  int64_t sends_until = 0, receives_until = 0;  // ns: when its line is free again
  std::deque<Packet> coming;                    // in the order of `due`
};

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * int64_t{1000000000} + t.tv_nsec;
}

[[noreturn]] void fail(const std::string& what) {
  std::perror(("relay: " + what).c_str());
  std::exit(1);
}

// The device stays in the namespace in which it was made.
int device_in(const std::string& name) {
  const int space = open(("/var/run/netns/" + name).c_str(), O_RDONLY);
  if (space < 0 || setns(space, CLONE_NEWNET) != 0) fail(name);
  close(space);
  const int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (device < 0) fail("/dev/net/tun");
  ifreq request = {};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strcpy(request.ifr_name, "eth0");
  if (ioctl(device, TUNSETIFF, &request) != 0) fail("a device of " + name);
  return device;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const double ns_per_byte = 8000 / std::atof(argv[1]);
  const int64_t delay = int64_t(1000 * std::atof(argv[2]));
  const double loss = std::atof(argv[3]);
  std::mt19937 random(unsigned(std::atoi(argv[4])));
  std::uniform_real_distribution<double> uniform;
  std::vector<Host> hosts;
  std::vector<pollfd> polled = {{0, POLLIN, 0}};
  for (int i = 5; i < argc; i++) {
    hosts.push_back({device_in(argv[i])});
    polled.push_back({hosts.back().device, POLLIN, 0});
  }
  prctl(PR_SET_TIMERSLACK, 1);  // ns; else a wait may be 50 us too long
  std::puts("ready");
  std::fflush(stdout);
  char buffer[65536];
  for (;;) {
    int64_t next = now() + 1000000000;
    for (const Host& host : hosts)
      if (!host.coming.empty()) next = std::min(next, host.coming.front().due);
    const int64_t wait = std::max<int64_t>(0, next - now());
    const timespec limit = {wait / 1000000000, wait % 1000000000};
    ppoll(polled.data(), polled.size(), &limit, nullptr);
    if (polled[0].revents && read(0, buffer, sizeof buffer) <= 0) return 0;
    for (Host& from : hosts) {
      for (ssize_t n; (n = read(from.device, buffer, sizeof buffer)) > 0;) {
        // byte 0: version and length of the header; bytes 16 to 19: where it goes
        if ((buffer[0] >> 4 & 15) != 4 || n < 20) continue;
        const size_t number = static_cast<unsigned char>(buffer[19]);
        if (number < 1 || number > hosts.size()) continue;
        Host& to = hosts[number - 1];
        const int64_t takes = int64_t(double(n) * ns_per_byte);
        from.sends_until = std::max(now(), from.sends_until) + takes;
        if (uniform(random) < loss) continue;
        to.receives_until = std::max(from.sends_until + delay, to.receives_until + takes);
        to.coming.push_back({to.receives_until, std::vector<char>(buffer, buffer + n)});
      }
    }
    for (Host& host : hosts) {
      while (!host.coming.empty() && host.coming.front().due <= now()) {
        const std::vector<char>& bytes = host.coming.front().bytes;
        // a device that is down takes nothing: the packet is lost
        if (write(host.device, bytes.data(), bytes.size()) < 0 && errno == EAGAIN) break;
        host.coming.pop_front();
      }
    }
  }
}
