#include "tests/standin/orders.hpp"

#include <cstdlib>
#include <sstream>
#include <string>

#include "configs/cat.hpp"
#include "tests/standin/misuse.hpp"

namespace entrain::standin {

Orders orders_for(int rank) {
  Orders orders;
  const char* text = std::getenv("ENTRAIN_STANDIN_FAULT");
  std::istringstream all(text ? text : "");
  for (std::string one; std::getline(all, one, ',');) {
    std::istringstream words(one);
    std::string kind, who, number, code;
    std::getline(words, kind, '@');
    std::getline(words, who, ':');
    std::getline(words, number, ':');
    std::getline(words, code);
    if (std::atoi(who.c_str()) != rank) continue;
    const int at = std::atoi(number.c_str());
    if (kind == "hang")
      orders.hang = at;
    else if (kind == "crash")
      orders.crash = at;
    else if (kind == "async")
      orders.async = at;
    else if (kind == "fail")
      orders.fail = at;
    else if (kind == "late")
      orders.late_seconds = std::atof(number.c_str());
    else if (kind == "refuse")
      orders.refuse = true;
    else
      misuse(Misuse::kUnsupported, cat("ENTRAIN_STANDIN_FAULT: no fault \"", kind, "\""));
    if (!code.empty()) (kind == "async" ? orders.async_code : orders.fail_code) = std::atoi(code.c_str());
  }
  return orders;
}

}  // namespace entrain::standin
