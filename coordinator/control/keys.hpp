#pragma once
#include <string>
#include <string_view>

namespace entrain::control {

// Each direction of each connection has a key of its own, made of the run's token and of random numbers of both
// sides: a recorded frame is worth nothing on another connection, nor when sent back to its author.

/// Of the one frame before any nonce is known: CHALLENGE.
std::string challenge_key(std::string_view token);
/// Of all that the client sends.
std::string client_key(std::string_view token, std::string_view server_nonce);
/// Of all that the server sends after HELLO.
std::string server_key(std::string_view token, std::string_view server_nonce, std::string_view client_nonce);

}  // namespace entrain::control
