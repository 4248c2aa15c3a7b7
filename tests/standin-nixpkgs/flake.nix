{
  # Stands in for nixpkgs where neither GitHub nor a binary cache can be reached: just the functions our flake uses,
  # made of the host's tools. Builds need `--option sandbox false`. `fetchurl` takes files from a download store (a
  # folder with sha256/DIGEST) named by TEEKIT_STANDIN_DOWNLOADS; Nix checks their digests as it does with the real one.
  # `buildPythonApplication` makes and installs the wheel with the Python that python.json names, and refuses a wheel whose
  # requirements are not among the `dependencies`, in an acceptable version, as nixpkgs' check of runtime dependencies does.
  outputs =
    { self }:
    let
      system = "x86_64-linux";
      build =
        attributes: script:
        derivation (
          {
            inherit system;
            builder = "/bin/sh";
            args = [
              "-euc"
              ''
                export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                ${script}
              ''
            ];
          }
          // attributes
        );
      # The host has these; a folder is all that a search path needs.
      hostTool = name: build { inherit name; } "mkdir -p $out/bin";
      python = builtins.fromJSON (builtins.readFile ./python.json);
      buildPythonApplication =
        {
          pname,
          version,
          src,
          dependencies,
          build-system,
          makeWrapperArgs,
          ...
        }:
        build {
          name = "${pname}-${version}";
          inherit pname version src;
          dependencies = map (package: package.name) dependencies;
          path = builtins.elemAt makeWrapperArgs 3;
        } "${python.program} -I ${./install_wheel.py}";
      lib = {
        optional = condition: element: if condition then [ element ] else [ ];
        cleanSource = path: path;
        makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
      };
    in
    {
      legacyPackages.${system} = {
        inherit lib;
        runCommand = name: attributes: script: build ({ inherit name; } // attributes) script;
        fetchurl =
          {
            name,
            urls,
            sha256,
          }:
          build {
            inherit name urls;
            digest = sha256;
            outputHashMode = "flat";
            outputHashAlgo = "sha256";
            outputHash = sha256;
            impureEnvVars = [ "TEEKIT_STANDIN_DOWNLOADS" ];
          } ''cp "$TEEKIT_STANDIN_DOWNLOADS/sha256/$digest" "$out"'';
        mkShell = attributes: build { name = "shell"; } "touch $out";
        python3 = {
          pythonVersion = python.version;
          pkgs =
            builtins.listToAttrs (
              map (name: {
                inherit name;
                value = hostTool name;
              }) python.packages
            )
            // {
              inherit buildPythonApplication;
            };
        };
      }
      // builtins.listToAttrs (
        map
          (name: {
            inherit name;
            value = hostTool name;
          })
          [
            "apt"
            "bubblewrap"
            "dpkg"
            "findutils"
            "git"
            "gnupg"
            "gnutar"
            "nix"
            "openssh"
            "ruff"
            "shellcheck"
            "util-linux"
            "xz"
            "zstd"
          ]
      );
    };
}
