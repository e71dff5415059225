#include "bindings/common.hpp"
// common.hpp stays first: it must precede every other include.
#include <mutex>

#include "events/reader.hpp"

namespace clrfast {
namespace {

// The reader behind a lock: it is fed without the GIL.
class SharedReader {
 public:
  explicit SharedReader(const std::vector<std::string>& tags) : reader_(tags) {}

  template <typename Use>
  auto with(Use&& use) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return use(reader_);
  }

 private:
  std::mutex mutex_;
  events::Reader reader_;
};

// The vector as an array, without a copy.
template <typename T>
py::array_t<T> to_array(std::vector<T>&& values) {
  auto* kept = new std::vector<T>(std::move(values));
  const py::capsule owner(kept, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return py::array_t<T>(static_cast<py::ssize_t>(kept->size()), kept->data(), owner);
}

py::tuple feed(SharedReader& shared, const py::bytes& data) {
  char* begin = nullptr;
  py::ssize_t size = 0;
  if (PyBytes_AsStringAndSize(data.ptr(), &begin, &size) != 0) throw py::error_already_set();
  events::Scalars found;
  {
    const py::gil_scoped_release release;  // parsing a block takes milliseconds
    found = shared.with([&](events::Reader& reader) {
      reader.feed({begin, static_cast<std::size_t>(size)});
      return reader.take();
    });
  }
  return py::make_tuple(to_array(std::move(found.tag)), to_array(std::move(found.step)),
                        to_array(std::move(found.value)));
}

// As bytes: nothing makes a writer keep to UTF-8.
py::list tags(SharedReader& shared) {
  py::list names;
  const auto found = shared.with([](events::Reader& reader) { return reader.tags(); });
  for (const std::string& tag : found) names.append(py::bytes(tag));
  return names;
}

py::dict report(SharedReader& shared) {
  return shared.with([](events::Reader& reader) {
    const events::Damage& damage = reader.damage();
    py::dict summary;
    summary["records"] = reader.records();
    summary["damaged_records"] = damage.records;
    summary["skipped_bytes"] = damage.skipped;
    summary["cut_short_bytes"] = damage.cut_short;
    summary["too_long_records"] = damage.too_long;
    summary["first_position"] = damage.first_position;
    return summary;
  });
}

}  // namespace

void bind_events(py::module_& m) {
  py::class_<SharedReader>(m, "EventReader")
      .def(py::init<const std::vector<std::string>&>(), py::arg("tags"))
      .def("feed", feed, py::arg("data"))
      .def("finish",
           [](SharedReader& shared) { shared.with([](events::Reader& r) { r.finish(); }); })
      .def("tags", tags)
      .def("report", report);
}

}  // namespace clrfast
