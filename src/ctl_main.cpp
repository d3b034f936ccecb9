#include "sensus/app/ctl.hpp"

int main(int argc, char** argv) { return sensus::app::run_ctl(argc, argv); }
