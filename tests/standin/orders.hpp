#pragma once

namespace entrain::standin {

/// What ENTRAIN_STANDIN_FAULT tells this rank to do wrong: `KIND@RANK:NUMBER[:CODE]`, joined by commas.
///   hang, crash, async, fail   at this rank's NUMBER-th collective (async, a little later, and fail with NCCL's error CODE, 6 and 3)
///   late                       joins after NUMBER seconds
///   refuse                     does not join
struct Orders {
  int hang = 0, crash = 0, async = 0, fail = 0;  ///< 0: never
  int async_code = 6, fail_code = 3;
  double late_seconds = 0;
  bool refuse = false;
};
Orders orders_for(int rank);

}  // namespace entrain::standin
