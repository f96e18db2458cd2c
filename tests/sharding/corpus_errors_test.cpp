// Bad files: one clear message each, naming file, dataset and both values.
#include <gmock/gmock.h>

#include <filesystem>
#include <limits>

#include "configs/error.hpp"
#include "sharding/corpus.hpp"
#include "tests/sharding/hdf5_files.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {
using sharding::Corpus;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CorpusErrors : public ::testing::Test {
 protected:
  std::string error(const std::function<void(TestFile&)>& write,
                    const std::function<void(DataSection&)>& change = {}) {
    {
      TestFile file(path_);
      write(file);
    }
    return open_error(change);
  }
  std::string open_error(const std::function<void(DataSection&)>& change = {}) {
    auto data = data_of(path_);
    if (change) change(data);
    return data_error_of([&] { Corpus::open(data); });
  }
  TemporaryFolder folder_;
  std::string path_ = folder_ / "f.h5";
};

TEST_F(CorpusErrors, NothingMatches) {
  EXPECT_THAT(open_error(), AllOf(HasSubstr("nothing matches"), HasSubstr(path_)));
}

TEST_F(CorpusErrors, NamedTwice) {
  {
    TestFile f(path_);
    write_plain_images(f, 3);
  }
  EXPECT_THAT(open_error([&](auto& d) { d.files = {path_, folder_ / "*.h5"}; }), HasSubstr("named twice"));
}

TEST_F(CorpusErrors, NotHdf5) {
  write_file(path_, "P5 4 4 255 no HDF5");
  EXPECT_THAT(open_error(), AllOf(HasSubstr(path_), HasSubstr("not an HDF5 file")));
}

TEST_F(CorpusErrors, Truncated) {
  {
    TestFile f(path_);
    write_plain_images(f, 100, 16);
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  EXPECT_THAT(open_error(), AllOf(HasSubstr(path_), HasSubstr("truncated")));
}

TEST_F(CorpusErrors, MissingDatasetListsWhatIsThere) {
  const auto text = error([](TestFile& f) {
    write_plain_images(f, 3, 4, "/image");
    f.integers("/weights", {1});
  });
  EXPECT_THAT(
      text, AllOf(HasSubstr("no dataset /images"), HasSubstr("did you mean /image?"), HasSubstr("/weights")));
}

TEST_F(CorpusErrors, MissingNamedColumn) {
  const auto text = error(
      [](TestFile& f) {
        write_plain_images(f, 3);
        f.integers("/labels", {1, 0, 1});
      },
      [](auto& d) { d.label = "/lables"; });
  EXPECT_THAT(text, AllOf(HasSubstr("no dataset /lables"), HasSubstr("did you mean /labels?")));
}

TEST_F(CorpusErrors, AGroupIsNoDataset) {
  EXPECT_THAT(error([](TestFile& f) { f.group("/images"); }), HasSubstr("is a group"));
}

TEST_F(CorpusErrors, WrongRank) {
  EXPECT_THAT(error([](TestFile& f) {
                f.bytes("/images", {3, 16}, std::vector<std::uint8_t>(48));
              }),
              AllOf(HasSubstr("3 x 16"), HasSubstr("2 axes")));
}

TEST_F(CorpusErrors, Ragged) {
  EXPECT_THAT(error([](TestFile& f) { f.ragged("/images", 5); }), HasSubstr("ragged"));
}

TEST_F(CorpusErrors, NoRows) {
  EXPECT_THAT(error([](TestFile& f) {
                f.bytes("/images", {0, 4, 4}, {});
              }),
              AllOf(HasSubstr("no rows"), HasSubstr("0 x 4 x 4")));
}

TEST_F(CorpusErrors, ElementsOfAnotherTypeAreNamed) {
  const auto text = error([](TestFile& f) {
    f.array("/images", {1, 2, 2}, std::vector<std::int64_t>(4), H5T_STD_I64BE);
  });
  EXPECT_THAT(text, AllOf(HasSubstr("int64 big-endian"), HasSubstr("integers of up to 32 bits or floats")));
}

TEST_F(CorpusErrors, ChannelsThatAreNeitherOneNorThree) {
  const auto write = [](TestFile& f) { f.bytes("/images", {2, 4, 5, 6}, std::vector<std::uint8_t>(240)); };
  EXPECT_THAT(error(write), AllOf(HasSubstr("neither 1 nor 3 channels"), Not(HasSubstr("data.axes"))))
      << "no order of the axes can help";
  EXPECT_THAT(error(write, [](auto& d) { d.axes = "NHWC"; }), HasSubstr("1 or 3 channels"));
  EXPECT_THAT(error(write, [](auto& d) { d.axes = "NHW"; }), HasSubstr("data.axes is NHW"));
}

TEST_F(CorpusErrors, AxesCanSettleWhatAutoGuessesWrongly) {
  {
    TestFile f(path_);
    f.bytes("/images", {2, 3, 4, 3}, std::vector<std::uint8_t>(72));
  }
  auto data = data_of(path_);
  EXPECT_EQ(Corpus::open(data).shape().height, 3);  // NHWC first
  data.axes = "NCHW";
  EXPECT_EQ(Corpus::open(data).shape().height, 4);
}

TEST_F(CorpusErrors, ColumnsOfAnotherLength) {
  EXPECT_THAT(error([](TestFile& f) {
                write_plain_images(f, 3);
                f.integers("/group", {1, 2});
              }),
              AllOf(HasSubstr("/group"), HasSubstr("2 rows"), HasSubstr("3 images")));
}

TEST_F(CorpusErrors, LabelsOutsideClassNames) {
  const auto text = error([](TestFile& f) {
    write_plain_images(f, 3);
    f.integers("/label", {0, 1, 2});
    f.text_list_attribute("/label", "class_names", {"a", "b"});
  });
  EXPECT_THAT(text, AllOf(HasSubstr("label 2"), HasSubstr("2 names")));
}

TEST_F(CorpusErrors, FilesThatDisagree) {
  const auto with_second = [&](const std::function<void(TestFile&)>& write) {
    {
      TestFile f(folder_ / "g.h5");
      write(f);
    }
    return error(
        [](TestFile& f) {
          write_plain_images(f, 3);
          f.texts("/label", {"a", "b", "a"});
          f.text_list_attribute("/label", "class_names", {"a", "b"});
        },
        [&](auto& d) { d.files.push_back(folder_ / "g.h5"); });
  };
  EXPECT_THAT(with_second([](TestFile& f) { write_plain_images(f, 3, 5); }),
              AllOf(HasSubstr("5 x 5 x 1 u8"), HasSubstr("4 x 4 x 1 u8")));
  EXPECT_THAT(with_second([](TestFile& f) { write_plain_images(f, 3); }), HasSubstr("has no label"));
  EXPECT_THAT(with_second([](TestFile& f) {
                write_plain_images(f, 1);
                f.texts("/label", {"a"});
                f.text_list_attribute("/label", "class_names", {"b", "a"});
              }),
              HasSubstr("class_names differ"));
}

TEST_F(CorpusErrors, AFolderIsNoFile) {
  EXPECT_THAT(open_error([&](auto& d) { d.files = {folder_.path()}; }),
              AllOf(HasSubstr("is a folder"), HasSubstr("/*.h5")));
}

// A few bytes declare what no machine holds; one of them overflows 64 bits.
TEST_F(CorpusErrors, FarMoreDeclaredThanWrittenIsRefusedAtOnce) {
  for (const auto& dims :
       std::vector<std::vector<hsize_t>>{{hsize_t{1} << 62, 2, 2}, {1'000'000'000, 1000, 1000}})
    EXPECT_THAT(error([&](TestFile& f) { f.unwritten("/images", dims, H5T_STD_U8LE); }),
                AllOf(HasSubstr("/images: shape "), HasSubstr("only 0 bytes"), Not(HasSubstr("\n"))));
  EXPECT_THAT(error([&](TestFile& f) {
                f.unwritten("/images", {100, 60000, 60000}, H5T_STD_U8LE);
              }),
              AllOf(HasSubstr("60000 x 60000 x 1 u8, 3.6 GB"), HasSubstr("the largest")));
  EXPECT_THAT(error([&](TestFile& f) {
                write_plain_images(f, 3);
                f.unwritten("/label", {hsize_t{1} << 50}, H5T_STD_I64LE);
              }),
              HasSubstr("/label: has 1125899906842624 rows but there are 3 images"));
  EXPECT_EQ(error([&](TestFile& f) {
              f.unwritten("/images", {5, 4, 4}, H5T_STD_U8LE);
            }),
            "")
      << "little, and fits";
}

TEST_F(CorpusErrors, TwoClassesOfOneName) {
  EXPECT_THAT(error([](TestFile& f) {
                write_plain_images(f, 3);
                f.integers("/label", {0, 1, 1});
                f.text_list_attribute("/label", "class_names", {"a", "a"});
              }),
              AllOf(HasSubstr("/label: class_names has \"a\" twice")));
}

TEST_F(CorpusErrors, NumbersThatDoNotFitAreNotCutDown) {
  const std::vector<std::uint64_t> large = {0, 18446744073709551615ULL, 18446744073709551614ULL};
  EXPECT_THAT(error([&](TestFile& f) {
                write_plain_images(f, 3);
                f.array("/label", {3}, large, H5T_STD_U64LE);
              }),
              AllOf(HasSubstr("/label row 1: 18446744073709551615 is too large")));
  ASSERT_EQ(error([&](TestFile& f) {
              write_plain_images(f, 3);
              f.array("/group", {3}, large, H5T_STD_U64LE);
            }),
            "");
  const Corpus corpus = Corpus::open(data_of(path_));
  EXPECT_EQ(corpus.group(1), "18446744073709551615") << "ids may fill all bits";
  EXPECT_EQ(corpus.group(2), "18446744073709551614") << "two patients stay two";
}

// libhdf5 1.10 believes a damaged heap and dies; what the text should be nobody can know.
TEST_F(CorpusErrors, TextInADamagedHeapIsAnError) {
  {
    TestFile f(path_);
    write_plain_images(f, 3);
    f.texts("/group", {"anna", "bert", "carl"});
  }
  const std::string whole = read_file(path_);
  const std::size_t heap = whole.find("GCOL");
  ASSERT_NE(heap, std::string::npos);
  ASSERT_EQ(open_error(), "");
  const auto spoilt = [&](std::size_t at, const std::string& bytes) {
    std::string file = whole;
    file.replace(heap + at, bytes.size(), bytes);
    write_file(path_, file);
    return open_error();
  };
  const std::string at_heap = "/group: the text in the heap at byte " + std::to_string(heap);
  EXPECT_THAT(spoilt(24, "\x03\xff\xff"),
              AllOf(HasSubstr(at_heap), HasSubstr("entry 1 says that it has 16776963 bytes")));
  EXPECT_THAT(spoilt(8, std::string(8, '\xff')), AllOf(HasSubstr(at_heap), HasSubstr("it says that it has")));
  EXPECT_THAT(spoilt(16, "\x09"), AllOf(HasSubstr(at_heap), HasSubstr("it has no entry 1")));
  EXPECT_THAT(spoilt(24, "\x02"), AllOf(HasSubstr(at_heap), HasSubstr("entry 1 has 2 bytes, its text")));
  EXPECT_THAT(spoilt(0, "XCOL"), AllOf(HasSubstr(at_heap), HasSubstr("there is no heap")));
}

// libhdf5 1.10 would take 255 lines out of a chunk that unpacks to 4.
TEST_F(CorpusErrors, ChunksLargerThanTheDatasetAreDamage) {
  TestFile::Storage storage{.chunk = {1, 16, 13}, .gzip = 6};
  { TestFile(path_).array("/images", {4, 16, 13}, std::vector<std::uint8_t>(832, 7), H5T_STD_U8LE, storage); }
  std::string bytes = read_file(path_);
  const std::string chunk("\x01\0\0\0\x10\0\0\0\x0d\0\0\0\x01\0\0\0", 16);  // and the size of an element
  const std::size_t at = bytes.find(chunk);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 4] = '\xff';
  write_file(path_, bytes);
  EXPECT_THAT(open_error(),
              AllOf(HasSubstr(path_ + ":/images: a chunk is 255 long"), HasSubstr("dataset is 16")));
}

// A gzip chunk whose bytes were overwritten: the file opens, the row does not read.
void spoil_chunk_of_row_2(const std::string& path) {
  TestFile::Storage storage{.chunk = {1, 16, 16}, .gzip = 6};
  std::vector<std::uint8_t> values(4 * 256, 9);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * i / 7);
  { TestFile(path).array("/images", {4, 16, 16}, values, H5T_STD_U8LE, storage); }
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT),
              set = H5Dopen2(file, "/images", H5P_DEFAULT);
  const hsize_t offset[3] = {2, 0, 0};
  unsigned mask = 0;
  haddr_t address = 0;
  hsize_t size = 0;
  ASSERT_GE(H5Dget_chunk_info_by_coord(set, offset, &mask, &address, &size), 0);
  H5Dclose(set);
  H5Fclose(file);
  std::string bytes = read_file(path);
  for (hsize_t i = 0; i < size; ++i) bytes[address + i] = static_cast<char>(0xA5);
  write_file(path, bytes);
}

TEST_F(CorpusErrors, AnUnreadableRowIsNamed) {
  spoil_chunk_of_row_2(path_);
  EXPECT_THAT(open_error(), AllOf(HasSubstr(path_ + ":/images row 2"), HasSubstr("deflate")));
}

TEST_F(CorpusErrors, SkipLeavesOutUnreadableConstantAndNotANumber) {
  spoil_chunk_of_row_2(path_);
  auto data = data_of(path_);
  data.on_corrupt = "skip";
  const Corpus corpus = Corpus::open(data);
  EXPECT_EQ(corpus.size(), 3);
  EXPECT_EQ(corpus.num_skipped(), 1);
  EXPECT_EQ(corpus.place(2).row, 3);
  const std::string path = folder_ / "floats.h5";
  data.files = {path};
  {
    TestFile f(path);
    std::vector<float> values(4 * 16);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13);
    for (std::size_t i = 16; i < 32; ++i) values[i] = 5;   // row 1: constant
    values[50] = std::numeric_limits<float>::quiet_NaN();  // row 3
    f.array("/images", {4, 4, 4}, values, H5T_IEEE_F32LE);
  }
  const Corpus floats = Corpus::open(data);
  ASSERT_EQ(floats.size(), 2);
  EXPECT_EQ(floats.place(1).row, 2);
  data.on_corrupt = "fail";
  const Corpus all = Corpus::open(data);  // NaN and constant are no read errors
  EXPECT_EQ(all.size(), 4);
  EXPECT_NE(all.digest(), floats.digest());
}

TEST_F(CorpusErrors, SkipThatLeavesNothing) {
  const auto text = error(
      [](TestFile& f) {
        f.bytes("/images", {3, 4, 4}, std::vector<std::uint8_t>(48));
      },
      [](auto& d) { d.on_corrupt = "skip"; });
  EXPECT_THAT(text, HasSubstr("left no image of 3"));
}

}  // namespace
}  // namespace entrain::tests
