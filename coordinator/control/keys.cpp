#include "coordinator/control/keys.hpp"

#include "configs/cat.hpp"
#include "coordinator/control/mac.hpp"

namespace entrain::control {

std::string challenge_key(std::string_view token) {
  return hmac_sha256(token, "entrain control 1 challenge");
}

std::string client_key(std::string_view token, std::string_view server_nonce) {
  return hmac_sha256(token, cat("entrain control 1 client ", server_nonce));
}

std::string server_key(std::string_view token, std::string_view server_nonce, std::string_view client_nonce) {
  return hmac_sha256(token, cat("entrain control 1 server ", server_nonce, client_nonce));
}

}  // namespace entrain::control
