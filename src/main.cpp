#include "sensus/app/application.hpp"

int main(int argc, char** argv) { return sensus::app::run(argc, argv); }
