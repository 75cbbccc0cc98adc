# How libopus is compiled for the boards' Cortex-M33 (Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi).
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# Added to what the build script gives, and after it, so that this holds: the DSP instructions are what it leaves out.
add_compile_options(-march=armv8-m.main+dsp+fp -mtune=cortex-m33 -mfloat-abi=hard -mthumb -ffunction-sections -fdata-sections)
# _WIN64 is what libopus' celt/arch.h asks for OPUS_FAST_INT64, 64-bit products where the processor has them: an M33 has
# (SMULL), and so does the host. With it both give the same samples, bit for bit. Neither libopus nor newlib looks at it elsewhere.
add_compile_definitions(_WIN64)
