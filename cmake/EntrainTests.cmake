include(GoogleTest)

# entrain_test(configs_test SOURCES a_test.cpp LIBS entrain_configs): one GoogleTest program, one ctest per case.
function(entrain_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE ENTRAIN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ENTRAIN_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  gtest_discover_tests(${name} TEST_PREFIX ${name}. PROPERTIES TIMEOUT ${arg_TIMEOUT} DISCOVERY_TIMEOUT 60)
endfunction()

# entrain_mpi_test(collectives_mpi_test SOURCES ... LIBS ... RANKS 1 2 3 4): one ctest per rank count, each of which
# refuses to run in a world of another size (tests/support/mpi_main.cpp).
function(entrain_mpi_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBS;RANKS" ${ARGN})
  add_executable(${name} ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/support/mpi_main.cpp)
  target_link_libraries(${name} PRIVATE ${arg_LIBS} GTest::gtest GTest::gmock MPI::MPI_CXX)
  target_compile_definitions(${name} PRIVATE ENTRAIN_SOURCE_DIR="${CMAKE_SOURCE_DIR}" ENTRAIN_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  foreach(n IN LISTS arg_RANKS)
    add_test(NAME ${name}.ranks${n}
      COMMAND ${MPIEXEC_EXECUTABLE} --oversubscribe ${MPIEXEC_NUMPROC_FLAG} ${n} $<TARGET_FILE:${name}> --ranks=${n})
    set_tests_properties(${name}.ranks${n} PROPERTIES PROCESSORS 2 TIMEOUT 120 LABELS mpi ENVIRONMENT
      "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_btl_tcp_if_include=lo;OMPI_MCA_rmaps_base_oversubscribe=1;OMP_NUM_THREADS=1")
  endforeach()
endfunction()
