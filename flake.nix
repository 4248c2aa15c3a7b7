{
  description = "teekit-verify: rebuild a confidential VM image, predict its measurements, compare them with what was published";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      lib = pkgs.lib;
      # The pinned environments, by the mkosi that each has (docs/setup.md).
      locks = {
        build-env = builtins.fromJSON (builtins.readFile ./nix/build-env.lock.json);
        build-env-mkosi-27 = builtins.fromJSON (builtins.readFile ./nix/build-env-mkosi-27.lock.json);
      };

      # Every .deb by the digest in the lock, wherever it comes from: the archive's mirrors while they carry it, else
      # the snapshot archive at the lock's time.
      fetchDeb =
        lock: package:
        pkgs.fetchurl {
          # Store names allow neither "~" nor ":".
          name = builtins.replaceStrings [ "~" ":" ] [ "-" "-" ] (baseNameOf package.path);
          urls = lib.optional (package.archive == "debian") "mirror://debian/${package.path}" ++ [
            "https://snapshot.debian.org/archive/${package.archive}/${lock.snapshot}/${package.path}"
          ];
          inherit (package) sha256;
        };

      # A pinned environment. Its store path follows from the tree's content, so it is the very path that
      # `teekit-verify env build` makes from the same lock.
      buildEnv =
        lock:
        pkgs.runCommand "teekit-build-env"
          {
            nativeBuildInputs = [
              pkgs.dpkg
              pkgs.gnutar
              pkgs.findutils
            ];
            outputHashMode = "recursive";
            outputHashAlgo = "sha256";
            outputHash = lock.environment.nar_hash;
            debs = map (fetchDeb lock) lock.packages;
            passAsFile = [ "debs" ];
            preferLocalBuild = true;
          }
          ''
            printf '%s\n' $(cat "$debsPath") > list
            sh ${./verifier/teekit_verify/rebuild/assemble_environment.sh} "$out" < list
          '';

      buildEnvs = builtins.mapAttrs (_: buildEnv) locks;

      python = pkgs.python3;
      project = (builtins.fromTOML (builtins.readFile ./pyproject.toml)).project;

      # A requirement of pyproject.toml as the package of nixpkgs that has its name: "backports.zstd>=1; …" is
      # python.pkgs.backports-zstd. Versions are checked when the wheel is installed.
      packageOf =
        requirement:
        let
          name = builtins.head (builtins.match "([A-Za-z0-9._-]+).*" requirement);
        in
        python.pkgs.${builtins.replaceStrings [ "." "_" ] [ "-" "-" ] name};
      # The only marker in use: a backport that a newer Python does without.
      isNeeded =
        requirement:
        let
          before = builtins.match ".*; *python_version < '([0-9.]+)'.*" requirement;
        in
        before == null || builtins.compareVersions python.pythonVersion (builtins.head before) < 0;

      cli = python.pkgs.buildPythonApplication {
        pname = project.name;
        version = builtins.head (
          builtins.match ".*__version__ = \"([^\"]+)\".*" (builtins.readFile ./verifier/teekit_verify/__init__.py)
        );
        pyproject = true;
        src = lib.cleanSource ./.;
        build-system = [ python.pkgs.setuptools ];
        dependencies = map packageOf (builtins.filter isNeeded project.dependencies);
        # What a rebuild starts on the host; nix itself is the one that built this.
        makeWrapperArgs = [
          "--prefix"
          "PATH"
          ":"
          (lib.makeBinPath [
            pkgs.apt
            pkgs.bubblewrap
            pkgs.dpkg
            pkgs.git
            pkgs.gnupg
            pkgs.gnutar
            pkgs.nix
            pkgs.openssh
            pkgs.util-linux
            pkgs.xz
            pkgs.zstd
          ])
        ];
      };
    in
    {
      packages.${system} = {
        default = cli;
      }
      // buildEnvs;

      apps.${system}.default = {
        type = "app";
        program = "${cli}/bin/teekit-verify";
      };

      devShells.${system}.default = pkgs.mkShell {
        inputsFrom = [ cli ];
        packages = [
          pkgs.bubblewrap
          pkgs.dpkg
          pkgs.ruff
          pkgs.shellcheck
        ];
      };

      checks.${system} = {
        inherit cli;
      }
      # The tree in the store is the one the lock names, and its mkosi starts.
      // builtins.mapAttrs (
        name: lock:
        pkgs.runCommand "teekit-build-env-check" { } ''
          test ${buildEnvs.${name}} = ${lock.environment.store_path}
          test -x ${buildEnvs.${name}}/usr/bin/mkosi
          touch "$out"
        ''
      ) locks;
    };
}
