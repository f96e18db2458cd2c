#include "configs/presets.hpp"

#include <map>

namespace entrain {
namespace {

// What suits which kind of image; sources stand beside the numbers. Every number is a
// starting point for one's own data, not a finding of a paper unless it says so.
const std::map<std::string, std::vector<PresetValue>>& all_presets() {
  static const std::map<std::string, std::vector<PresetValue>> presets{
      {"simclr", {}},  // SimCLR appendix A: the defaults of ViewSection
      {"xray",
       {
           {"min_area",
            "0.3"},  // an 8 % crop cuts the finding away; MoCo-CXR drops crops for it, siaug keeps 0.2 to 1
           {"rotation_degrees",
            "15"},  // patients stand and lie askew by this much; MoCo-CXR 10, MICLe up to 45
           {"horizontal_flip", "0.5"},  // doubles the views; set 0 where the side of the heart matters
           {"jitter", "0.8"},           // as SimCLR: exposure differs from shot to shot
           {"brightness", "0.4"},       // siaug (MIDL 2023): jitter (0.4, 0.4, 0, 0)
           {"contrast", "0.4"},         //
           {"gamma", "0.3"},            // exponent 0.74 to 1.35: detectors and viewers differ in their curves
           {"saturation", "0"},         // one channel has no colour
           {"hue", "0"},                //
           {"gray", "0"},               //
           {"blur", "0"},               // MICLe's chest X-rays: "no blur"; it removes fine reticular patterns
       }},
      {"dermatology",
       {
           {"min_area",
            "0.2"},  // dermoscopy is centred on the lesion: a floor of 0.2 keeps some of it in view
           {"vertical_flip", "0.5"},    // a lesion has no upright side
           {"rotation_degrees", "45"},  // nor an angle; corners stay small enough for the crop to avoid
           {"hue", "0.1"},  // skin tone and lesion colour carry the diagnosis: half of SimCLR's shift
       }},
      {"histology",
       {
           {"min_area", "0.4"},         // a small crop, resized, is another magnification
           {"vertical_flip", "0.5"},    // a slide has no upright side
           {"rotation_degrees", "90"},  // any angle (arXiv 2402.14566 improves by it)
           {"brightness", "0.4"},       // scanners differ, less than photographs
           {"contrast", "0.4"},         //
           {"saturation", "0.4"},       // stain strength
           {"hue", "0.05"},             // stain shade: a large hue makes colours that no stain has
           {"gray", "0"},               // the two stains are told apart by colour
           {"blur", "0.1"},             // out-of-focus tiles exist, rarely
       }},
      {"fundus",
       {
           {"min_area",
            "0.4"},  // weaker views are better on retina (AUROC 0.838 to 0.848, openreview 63igmyYaDc)
           {"rotation_degrees", "15"},  // head tilt
           {"jitter", "0.5"},           // the rest at half strength, for the same reason
           {"brightness", "0.3"},       //
           {"contrast", "0.3"},         //
           {"saturation", "0.2"},       //
           {"hue", "0.02"},             // haemorrhage and exudate differ by colour
           {"gray", "0"},               //
           {"blur", "0.1"},             // microaneurysms are a few pixels wide
       }},
  };
  return presets;
}

}  // namespace

const std::vector<std::string>& view_presets() {
  static const std::vector<std::string> names{"simclr", "xray", "dermatology", "histology", "fundus"};
  return names;
}

const std::vector<PresetValue>& view_preset(const std::string& name) { return all_presets().at(name); }

}  // namespace entrain
