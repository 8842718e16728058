// Borrowed views of Python buffers for the bindings.
//
// Duty: hold a contiguous buffer (bytes, bytearray, memoryview, NumPy array of any dtype) while a kernel works on it.
// Invariant: made and destroyed with the GIL held; the exporter cannot resize or free the memory in between.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <span>

namespace tensorhub::bindings {

class BufferView {
 public:
  BufferView(nanobind::handle object, int flags) {
    if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw nanobind::python_error();
  }
  ~BufferView() { PyBuffer_Release(&view_); }
  BufferView(const BufferView&) = delete;
  BufferView& operator=(const BufferView&) = delete;

 protected:
  std::uint8_t* data() const { return static_cast<std::uint8_t*>(view_.buf); }
  std::size_t size() const { return static_cast<std::size_t>(view_.len); }

 private:
  Py_buffer view_{};
};

/// Read-only view; PyBUF_SIMPLE refuses what is not contiguous.
class InputBuffer : BufferView {
 public:
  explicit InputBuffer(nanobind::handle object) : BufferView(object, PyBUF_SIMPLE) {}
  std::span<const std::uint8_t> bytes() const { return {data(), size()}; }
};

/// Writable view; refuses read-only exporters.
class OutputBuffer : BufferView {
 public:
  explicit OutputBuffer(nanobind::handle object) : BufferView(object, PyBUF_WRITABLE) {}
  std::span<std::uint8_t> bytes() const { return {data(), size()}; }
};

}  // namespace tensorhub::bindings
