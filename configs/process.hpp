#pragma once
#include <exception>
#include <string>

#include "configs/error.hpp"

namespace entrain {

/// First thing in main(): a reader of our output that goes away (SIGPIPE) and a file that reaches its largest size
/// (SIGXFSZ) become errors of that one write, never the end of the process: log lines are dropped, work goes on.
void ignore_write_signals();

std::string host_name();

/// What an exception means to a user. Errors of ours stay as they are. No memory or no thread to be had: 78. A path
/// that the file system refused, a read that failed: 65. Anything else: 70, a bug.
Error error_of(const std::exception& e);

/// Last thing in main(): the code of the process, once all that was printed is written. A reader that has left (| head)
/// is no error, the code is that of the work; an answer that cannot be written is a line on stderr and 73.
int end_answer(int code);

}  // namespace entrain
