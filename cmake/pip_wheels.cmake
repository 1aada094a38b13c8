# Only for `pip install .` (setup.py passes it as CMAKE_PROJECT_INCLUDE; colcon never reads it).
# The *__rosidl_generator_py targets of the ROS wheels on PyPI carry include paths of the machine that built
# them, and CMake refuses a target with a path that does not exist. They hold nothing that is needed here.
foreach(package std_msgs geometry_msgs sensor_msgs action_msgs)
  find_package(${package} REQUIRED)
endforeach()
get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
foreach(target IN LISTS targets)
  if(target MATCHES "__rosidl_generator_py$")
    set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "")
  endif()
endforeach()
