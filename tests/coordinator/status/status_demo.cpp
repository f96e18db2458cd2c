// Serves the RunStatus of a JSON file over the real server, so that the page can be looked at:
//   status_demo STATUS.json [PORT]        prints the address; what is written to the file later is told, too
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

#include "coordinator/status/http_server.hpp"
#include "coordinator/status/run_files.hpp"

int main(int argc, char** argv) {
  using namespace entrain::status;  // NOLINT(google-build-using-namespace): a main of a test tool
  if (argc < 2) {
    std::cerr << "usage: status_demo STATUS.json [PORT]\n";
    return 64;
  }
  try {
    boost::asio::io_context io;
    HttpSettings settings;
    settings.port = argc > 2 ? static_cast<std::uint16_t>(std::stoi(argv[2])) : 0;
    settings.token = "demo";
    settings.where = "demo";
    HttpServer server(io, settings);
    std::cout << server.url() << std::endl;
    boost::asio::steady_timer timer(io);
    const std::function<void()> tell = [&] {
      if (auto status = status_of(json_file(argv[1])))
        server.publish(std::move(*status));
      else
        std::cerr << argv[1] << " holds no RunStatus\n";
      timer.expires_after(std::chrono::seconds(1));
      timer.async_wait([&](boost::system::error_code error) {
        if (!error) tell();
      });
    };
    tell();
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code, int) { io.stop(); });
    io.run();
  } catch (const std::exception& e) {
    std::cerr << "status_demo: " << e.what() << '\n';
    return 1;
  }
  return 0;
}
