#pragma once

namespace sensus::app {

/// main() of sensusctl, the operator's tool beside the daemon: 0 = done and well, 1 = it failed or found something wrong (said on stderr),
/// 2 = bad flags. Results go to stdout, progress and mistakes to stderr.
int run_ctl(int argc, char** argv);

}  // namespace sensus::app
